//! How the shared library is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        for argument in [
            // The version of the interface: a host that is linked to another one does not start.
            "-Wl,-soname,libjob.so.1",
            // Symbols of RocksDB and of the other native libraries stay inside, so that the host may have its own.
            "-Wl,--exclude-libs,ALL",
            // The threads of an engine may end later than `dlclose`, so their code stays in memory.
            "-Wl,-z,nodelete",
        ] {
            println!("cargo:rustc-cdylib-link-arg={argument}");
        }
    }
}
