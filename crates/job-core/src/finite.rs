//! Finds NaN and infinities, which JSON does not have. It looks for them only after a written value has a `null`
//! in it.
//!
//! `serde_json` silently writes `null` for NaN and infinities. So a value without a `null` in its JSON is
//! serialized once. A value with one is walked a second time, without output, to find out where it comes from.

use std::{error, fmt, io};

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::ser::Formatter;

/// A number that is written as `null` if it is NaN or infinite. Rows, outputs and parameters refuse such a number
/// otherwise.
///
/// ```
/// use job_core::{InvalidJson, OrNull, append_json};
///
/// let mut row = Vec::new();
/// assert!(matches!(append_json(&mut row, &[0.5, f64::NAN], 100), Err(InvalidJson::NotFinite { .. })));
/// append_json(&mut row, &[OrNull(0.5), OrNull(f64::NAN)], 100)?;
/// assert_eq!(row, b"[0.5,null]");
/// # Ok::<(), InvalidJson>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct OrNull<T>(pub T);

macro_rules! or_null {
    ($($number:ty, $serialize:ident;)*) => {$(
        impl Serialize for OrNull<$number> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if self.0.is_finite() { serializer.$serialize(self.0) } else { serializer.serialize_none() }
            }
        }
    )*};
}

or_null! {
    f32, serialize_f32;
    f64, serialize_f64;
}

/// Writes JSON without spaces, and sets the flag when it writes a `null`.
pub(crate) struct Nulls<'n>(pub(crate) &'n mut bool);

impl Formatter for Nulls<'_> {
    fn write_null<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        *self.0 = true;
        writer.write_all(b"null")
    }
}

/// Why the JSON of a value does not say what the value says.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// This number is NaN or infinite; its place from the inside out.
    NotFinite(f64, Vec<String>),
    Other(String),
}

impl Unfit {
    fn inside(self, place: impl FnOnce() -> String) -> Self {
        match self {
            Self::NotFinite(number, mut places) => {
                places.push(place());
                Self::NotFinite(number, places)
            }
            other @ Self::Other(_) => other,
        }
    }

    /// The place as a reader of the JSON would call it: `ranks[3].score`.
    pub(crate) fn place(places: &[String]) -> String {
        let place = places.iter().rev().map(String::as_str).collect::<String>();
        place.strip_prefix('.').map_or(place.clone(), str::to_owned)
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite(number, places) => write!(f, "{} is {number}", Self::place(places)),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl error::Error for Unfit {}

impl serde::ser::Error for Unfit {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Other(reason.to_string())
    }
}

/// Walks a value and stops at the first NaN or infinity.
pub(crate) struct Walk;

/// Walks the parts of a list, a map or a struct.
pub(crate) struct Parts {
    next: usize,
    key: String,
}

impl Parts {
    const FIRST: Result<Self, Unfit> = Ok(Self { next: 0, key: String::new() });

    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        let place = self.next;
        self.next = self.next.saturating_add(1);
        value.serialize(Walk).map_err(|unfit| unfit.inside(|| format!("[{place}]")))
    }

    fn field<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<(), Unfit> {
        value.serialize(Walk).map_err(|unfit| unfit.inside(|| format!(".{name}")))
    }
}

fn number(number: f64) -> Result<(), Unfit> {
    if number.is_finite() { Ok(()) } else { Err(Unfit::NotFinite(number, Vec::new())) }
}

macro_rules! nothing_to_find {
    ($($method:ident($($argument:ty),*);)*) => {$(
        fn $method(self $(, _: $argument)*) -> Result<(), Unfit> {
            Ok(())
        }
    )*};
}

impl Serializer for Walk {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    nothing_to_find! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    fn serialize_f32(self, value: f32) -> Result<(), Unfit> {
        number(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unfit> {
        number(value)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        value.serialize(Self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unfit> {
        value.serialize(Self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        Parts::field(variant, value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Unfit> {
        Parts::FIRST
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, Unfit> {
        Parts::FIRST
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Unfit> {
        Parts::FIRST
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Parts, Unfit> {
        Parts::FIRST
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Unfit> {
        Parts::FIRST
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Unfit> {
        Parts::FIRST
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Parts, Unfit> {
        Parts::FIRST
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<(), Unfit> {
        Ok(())
    }
}

macro_rules! parts_in_order {
    ($($like:ident, $method:ident;)*) => {$(
        impl $like for Parts {
            type Ok = ();
            type Error = Unfit;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
                self.part(value)
            }

            fn end(self) -> Result<(), Unfit> {
                Ok(())
            }
        }
    )*};
}

macro_rules! named_parts {
    ($($like:ident;)*) => {$(
        impl $like for Parts {
            type Ok = ();
            type Error = Unfit;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unfit> {
                Self::field(name, value)
            }

            fn end(self) -> Result<(), Unfit> {
                Ok(())
            }
        }
    )*};
}

parts_in_order! {
    SerializeSeq, serialize_element;
    SerializeTuple, serialize_element;
    SerializeTupleStruct, serialize_field;
    SerializeTupleVariant, serialize_field;
}

named_parts! {
    SerializeStruct;
    SerializeStructVariant;
}

impl SerializeMap for Parts {
    type Ok = ();
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unfit> {
        self.key = serde_json::to_string(key).map_err(Unfit::custom)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        Self::field(self.key.trim_matches('"'), value)
    }

    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), Unfit> {
        // The name of a key is needed only for an error.
        value.serialize(Walk).map_err(|unfit| {
            unfit.inside(|| format!(".{}", serde_json::to_string(key).unwrap_or_default().trim_matches('"')))
        })
    }

    fn end(self) -> Result<(), Unfit> {
        Ok(())
    }
}
