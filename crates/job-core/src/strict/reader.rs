//! Feeds a [`Cursor`] to types that derive `Deserialize`.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::BorrowedStrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{Cursor, InvalidBody};

/// A part of a request as it was written, to be read later or kept. Only [`read`](super::read) gives it.
///
/// ```
/// use job_core::strict::{self, Raw};
///
/// #[derive(serde::Deserialize)]
/// struct Body<'b> {
///     #[serde(borrow)]
///     parameters: Raw<'b>,
/// }
///
/// let body: Body = strict::read("the body", r#"{"parameters": {"k":  1.50} }"#)?;
/// assert_eq!(body.parameters.as_str(), r#"{"k":  1.50}"#);
/// # Ok::<(), strict::InvalidBody>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'b>(&'b str);

impl<'b> Raw<'b> {
    const NAME: &'static str = "$job_core::strict::Raw";

    /// The JSON text.
    #[must_use]
    pub const fn as_str(&self) -> &'b str {
        self.0
    }
}

impl<'de: 'b, 'b> Deserialize<'de> for Raw<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = &'de str;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a part of a request")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<&'de str, E> {
                Ok(text)
            }
        }
        deserializer.deserialize_newtype_struct(Self::NAME, Written).map(Self)
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $number:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
            let number = if starts_number(self.peek()) { number_at(self).parse().ok() } else { None };
            match number {
                Some(number) => {
                    self.word();
                    visitor.$visit(number)
                }
                None => {
                    let (least, most) = (<$number>::MIN, <$number>::MAX);
                    Err(self.misfit(format!("a whole number from {least} to {most}")))
                }
            }
        }
    )*};
}

const fn starts_number(byte: u8) -> bool {
    byte == b'-' || byte.is_ascii_digit()
}

/// The number at this place. The cursor stays before it.
fn number_at<'de>(cursor: &Cursor<'de>) -> &'de str {
    cursor.clone().word()
}

impl<'de> Deserializer<'de> for &mut Cursor<'de> {
    type Error = InvalidBody;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
        match self.peek() {
            b'{' => self.deserialize_map(visitor),
            b'[' => self.deserialize_seq(visitor),
            b'"' => self.deserialize_str(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'n' => self.deserialize_unit(visitor),
            _ => self.number(visitor),
        }
    }

    whole_numbers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
        if starts_number(self.peek()) { self.number(visitor) } else { Err(self.misfit("a number")) }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
        if !matches!(self.peek(), b't' | b'f') {
            return Err(self.misfit("true or false"));
        }
        visitor.visit_bool(self.word() == "true")
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
        if self.peek() != b'"' {
            return Err(self.misfit("a string"));
        }
        match self.string()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
        if self.peek() == b'n' { self.deserialize_unit(visitor) } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
        if self.peek() != b'n' {
            return Err(self.misfit("null"));
        }
        self.word();
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value, InvalidBody> {
        if name == Raw::NAME { visitor.visit_borrowed_str(self.raw()) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
        if !self.took(b'[') {
            return Err(self.misfit("a list"));
        }
        let mut values = Values { cursor: self, next: 0 };
        let value = visitor.visit_seq(&mut values)?;
        let taken = values.next;
        if self.took(b']') { Ok(value) } else { Err(InvalidBody::invalid_length(taken + 1, &"fewer")) }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, InvalidBody> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, InvalidBody> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
        self.object(&[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InvalidBody> {
        self.object(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InvalidBody> {
        if self.peek() == b'"' {
            let name = self.string()?;
            return visitor.visit_enum(IntoDeserializer::<InvalidBody>::into_deserializer(name));
        }
        let mut inside = self.clone();
        if !inside.took(b'{') || inside.peek() != b'"' {
            return Err(self.misfit(format!("one of {}", variants.join(", "))));
        }
        *self = inside;
        let name = self.string()?;
        self.took(b':');
        let value = visitor.visit_enum(Variant { cursor: self, name })?;
        if self.took(b'}') { Ok(value) } else { Err(InvalidBody::invalid_length(2, &"one")) }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidBody> {
        self.raw();
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit_struct identifier }
}

impl<'de> Cursor<'de> {
    fn number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, InvalidBody> {
        let text = number_at(self);
        if let Ok(number) = text.parse() {
            self.word();
            return visitor.visit_u64(number);
        }
        // The sign of -0 is kept by a double only.
        if let Ok(number) = text.parse()
            && number != 0
        {
            self.word();
            return visitor.visit_i64(number);
        }
        match text.parse() {
            Ok(number) if f64::is_finite(number) => {
                self.word();
                visitor.visit_f64(number)
            }
            _ => Err(self.misfit("a number in the range of a double")),
        }
    }

    fn object<V: Visitor<'de>>(
        &mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InvalidBody> {
        if !self.took(b'{') {
            return Err(self.misfit("a JSON object"));
        }
        let value = visitor.visit_map(Members { cursor: self, fields, key: Cow::Borrowed("") })?;
        // Derived types and maps read all members, so the closing brace comes next.
        self.took(b'}');
        Ok(value)
    }
}

/// A variant of an enum with its content: a JSON object of one key.
struct Variant<'c, 'de> {
    cursor: &'c mut Cursor<'de>,
    name: Cow<'de, str>,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = InvalidBody;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), InvalidBody> {
        let variant = seed.deserialize(IntoDeserializer::<InvalidBody>::into_deserializer(&*self.name))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = InvalidBody;

    fn unit_variant(self) -> Result<(), InvalidBody> {
        Err(InvalidBody::misfit("an object", format!("the text {:?}", &*self.name)))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, InvalidBody> {
        seed.deserialize(self.cursor).map_err(|error| error.inside(&self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, InvalidBody> {
        self.cursor.deserialize_seq(visitor).map_err(|error| error.inside(&self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InvalidBody> {
        self.cursor.object(fields, visitor).map_err(|error| error.inside(&self.name))
    }
}

/// The values of a list.
struct Values<'c, 'de> {
    cursor: &'c mut Cursor<'de>,
    next: usize,
}

impl<'de> SeqAccess<'de> for &mut Values<'_, 'de> {
    type Error = InvalidBody;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, InvalidBody> {
        self.cursor.took(b',');
        if self.cursor.peek() == b']' {
            return Ok(None);
        }
        let index = self.next;
        self.next += 1;
        seed.deserialize(&mut *self.cursor).map(Some).map_err(|error| error.at(index))
    }
}

/// The members of an object.
struct Members<'c, 'de> {
    cursor: &'c mut Cursor<'de>,
    /// The fields of the struct. One that is `null` counts as absent.
    fields: &'static [&'static str],
    key: Cow<'de, str>,
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = InvalidBody;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, InvalidBody> {
        loop {
            self.cursor.took(b',');
            if self.cursor.peek() != b'"' {
                return Ok(None);
            }
            self.key = self.cursor.string()?;
            self.cursor.took(b':');
            let absent = self.cursor.peek() == b'n' && self.fields.contains(&&*self.key);
            if !absent {
                break;
            }
            self.cursor.word();
        }
        let key = match &self.key {
            Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::<InvalidBody>::new(key)),
            Cow::Owned(key) => seed.deserialize(IntoDeserializer::<InvalidBody>::into_deserializer(key.as_str())),
        };
        key.map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, InvalidBody> {
        seed.deserialize(&mut *self.cursor).map_err(|error| error.inside(&self.key))
    }
}
