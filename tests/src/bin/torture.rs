//! Runs the long forms.
fn main() {}
