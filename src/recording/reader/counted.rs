//! Reading a line with a count of the memory that it takes.
//!
//! [`Counted`] stands around each part of serde that reads one, and hands on all that it is told.

use std::fmt;

use serde::{
    Deserialize,
    de::{
        DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess,
        Visitor,
    },
};

use super::budget::{Budget, Exceeded};

/// The error of what is refused; the [`Budget`] tells more.
const TOO_MUCH: &str = "it holds too much";

/// What a line holds, and how much room is left after it; or why it cannot be read.
pub(super) fn from_line<'line, T: Deserialize<'line>>(
    line: &'line [u8],
    room: &mut usize,
) -> Result<T, LineError> {
    let budget = Budget::new(*room);
    let mut json = serde_json::Deserializer::from_slice(line);
    let read = T::deserialize(Counted { inner: &mut json, budget: &budget });
    let read = read.and_then(|it| json.end().map(|()| it));
    *room = budget.end().map_err(LineError::Exceeded)?;
    read.map_err(LineError::Json)
}

/// Why a line cannot be read.
#[derive(Debug)]
pub(super) enum LineError {
    /// It is no JSON, or not what is asked for.
    Json(serde_json::Error),
    /// It holds too much.
    Exceeded(Exceeded),
}

struct Counted<'a, 'line, T> {
    inner: T,
    budget: &'a Budget<'line>,
}

impl<'a, 'line, T> Counted<'a, 'line, T> {
    const fn around<U>(&self, inner: U) -> Counted<'a, 'line, U> {
        Counted { inner, budget: self.budget }
    }

    fn split<U>(self, other: U) -> (T, Counted<'a, 'line, U>) {
        (self.inner, Counted { inner: other, budget: self.budget })
    }
}

macro_rules! deserialize {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'line>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            let (inner, visitor) = self.split(visitor);
            inner.$method($($argument,)* visitor)
        }
    )*};
}

impl<'line, D: Deserializer<'line>> Deserializer<'line> for Counted<'_, 'line, D> {
    type Error = D::Error;

    deserialize! {
        deserialize_any()
        deserialize_bool()
        deserialize_i8()
        deserialize_i16()
        deserialize_i32()
        deserialize_i64()
        deserialize_u8()
        deserialize_u16()
        deserialize_u32()
        deserialize_u64()
        deserialize_f32()
        deserialize_f64()
        deserialize_char()
        deserialize_str()
        deserialize_string()
        deserialize_bytes()
        deserialize_byte_buf()
        deserialize_option()
        deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq()
        deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn deserialize_identifier<V: Visitor<'line>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let (inner, visitor) = self.split(visitor);
        inner.deserialize_identifier(Name(visitor))
    }

    fn deserialize_ignored_any<V: Visitor<'line>>(self, visitor: V) -> Result<V::Value, D::Error> {
        // Nothing of it is kept.
        self.inner.deserialize_ignored_any(visitor)
    }
}

/// Reads the name of a field, and takes note of it.
struct Name<T>(T);

impl<'line, V: Visitor<'line>> Visitor<'line> for Name<Counted<'_, 'line, V>> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.inner.expecting(formatter)
    }

    fn visit_borrowed_str<E: Error>(self, name: &'line str) -> Result<V::Value, E> {
        self.0.budget.enter(name);
        self.0.inner.visit_borrowed_str(name)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<V::Value, E> {
        self.0.inner.visit_str(name)
    }
}

impl<'line, V: Visitor<'line>> Visitor<'line> for Counted<'_, 'line, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.inner.visit_bool(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        self.inner.visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        self.inner.visit_u64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        self.inner.visit_f64(value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        if !self.budget.text(text) {
            return Err(E::custom(TOO_MUCH));
        }
        self.inner.visit_str(text)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'line str) -> Result<V::Value, E> {
        if !self.budget.text(text) {
            return Err(E::custom(TOO_MUCH));
        }
        self.inner.visit_borrowed_str(text)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'line>>(self, value: D) -> Result<V::Value, D::Error> {
        let (inner, value) = self.split(value);
        inner.visit_some(value)
    }

    fn visit_newtype_struct<D: Deserializer<'line>>(self, value: D) -> Result<V::Value, D::Error> {
        let (inner, value) = self.split(value);
        inner.visit_newtype_struct(value)
    }

    fn visit_seq<A: SeqAccess<'line>>(self, list: A) -> Result<V::Value, A::Error> {
        let (inner, list) = self.split(list);
        inner.visit_seq(Elements::of(list))
    }

    fn visit_map<A: MapAccess<'line>>(self, map: A) -> Result<V::Value, A::Error> {
        let (inner, map) = self.split(map);
        inner.visit_map(Elements::of(map))
    }

    fn visit_enum<A: EnumAccess<'line>>(self, value: A) -> Result<V::Value, A::Error> {
        let (inner, value) = self.split(value);
        inner.visit_enum(value)
    }
}

/// The elements of a list or a map.
struct Elements<'a, 'line, A> {
    access: Counted<'a, 'line, A>,
    /// Whose they are.
    field: &'line str,
    count: usize,
    /// What the key that was read last takes by itself.
    key_size: usize,
}

impl<'a, 'line, A> Elements<'a, 'line, A> {
    const fn of(access: Counted<'a, 'line, A>) -> Self {
        let field = access.budget.field();
        Self { access, field, count: 0, key_size: 0 }
    }
}

impl<'line, A: SeqAccess<'line>> SeqAccess<'line> for Elements<'_, 'line, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'line>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        let seed = self.access.around(seed);
        let Some(element) = self.access.inner.next_element_seed(seed)? else { return Ok(None) };
        self.count += 1;
        if !self.access.budget.list(self.count, size_of::<T::Value>(), self.field) {
            return Err(A::Error::custom(TOO_MUCH));
        }
        Ok(Some(element))
    }
}

impl<'line, A: MapAccess<'line>> MapAccess<'line> for Elements<'_, 'line, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'line>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.key_size = size_of::<K::Value>();
        let seed = self.access.around(seed);
        self.access.inner.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'line>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, A::Error> {
        // The key of a map is kept; the name of a field only chooses the place.
        if self.key_size >= size_of::<String>() {
            self.count += 1;
            let size = self.key_size + size_of::<T::Value>();
            if !self.access.budget.map(self.count, size, self.field) {
                return Err(A::Error::custom(TOO_MUCH));
            }
        }
        let seed = self.access.around(seed);
        self.access.inner.next_value_seed(seed)
    }
}

impl<'line, S: DeserializeSeed<'line>> DeserializeSeed<'line> for Counted<'_, 'line, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'line>>(self, value: D) -> Result<S::Value, D::Error> {
        let (inner, value) = self.split(value);
        inner.deserialize(value)
    }
}

impl<'a, 'line, A: EnumAccess<'line>> EnumAccess<'line> for Counted<'a, 'line, A> {
    type Error = A::Error;
    type Variant = Counted<'a, 'line, A::Variant>;

    fn variant_seed<V: DeserializeSeed<'line>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), A::Error> {
        let budget = self.budget;
        let (inner, seed) = self.split(seed);
        let (name, variant) = inner.variant_seed(seed)?;
        Ok((name, Counted { inner: variant, budget }))
    }
}

impl<'line, A: VariantAccess<'line>> VariantAccess<'line> for Counted<'_, 'line, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'line>>(
        self,
        seed: T,
    ) -> Result<T::Value, A::Error> {
        let (inner, seed) = self.split(seed);
        inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'line>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let (inner, visitor) = self.split(visitor);
        inner.tuple_variant(length, visitor)
    }

    fn struct_variant<V: Visitor<'line>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let (inner, visitor) = self.split(visitor);
        inner.struct_variant(fields, visitor)
    }
}
