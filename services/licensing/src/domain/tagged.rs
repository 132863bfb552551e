//! Enums whose member `type` says which variant they are, as `#[serde(tag = "type")]` writes them. serde keeps their members aside until
//! it knows the variant, and forgets where they stood; it also takes a list for the object. Here they are read in place, so that whoever
//! reads a form is told which member of it is wrong.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, VariantAccess, Visitor};
use serde_json::Value;

const TAG: &str = "type";

/// Declares such an enum: what it derives beside `Serialize` and `Deserialize` stands above it.
macro_rules! tagged {
    ($(#[$of_enum:meta])* $seen:vis enum $name:ident {
        $($(#[$of_variant:meta])* $variant:ident { $($(#[$of_field:meta])* $field:ident: $kind:ty),* $(,)? }),* $(,)?
    }) => {
        $(#[$of_enum])*
        #[derive(serde::Serialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        $seen enum $name { $($(#[$of_variant])* $variant { $($(#[$of_field])* $field: $kind),* }),* }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(rename_all = "snake_case", deny_unknown_fields)]
                enum Read { $($variant { $($(#[$of_field])* $field: $kind),* }),* }
                let read = <Read as serde::Deserialize>::deserialize($crate::domain::tagged::Tagged(deserializer))?;
                Ok(match read { $(Read::$variant { $($field),* } => Self::$variant { $($field),* }),* })
            }
        }
    };
}
pub(crate) use tagged;

/// Reads an enum from the object whose member `type` names the variant.
pub(crate) struct Tagged<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tagged<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, D::Error> {
        Err(D::Error::custom("only an enum has a tag"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Members(visitor))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

/// Reads the tag, and with it the variant from the other members.
struct Members<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Members<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<V::Value, A::Error> {
        let Some(first) = members.next_key::<String>()? else { return Err(A::Error::missing_field(TAG)) };
        if first == TAG {
            return self.0.visit_enum(Rest(members));
        }
        // Nothing here writes them in this order: they are kept aside, and their places are not told.
        let mut all = vec![(first, members.next_value::<Value>()?)];
        while let Some(member) = members.next_entry()? {
            all.push(member);
        }
        all.sort_by_key(|(name, _)| name != TAG);
        let mut members = MapDeserializer::<_, serde_json::Error>::new(all.into_iter());
        if members.next_key::<String>().map_err(A::Error::custom)?.as_deref() != Some(TAG) {
            return Err(A::Error::missing_field(TAG));
        }
        self.0.visit_enum(Rest(members)).map_err(A::Error::custom)
    }
}

/// The members from the value of the tag on.
struct Rest<A>(A);

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Rest<A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(mut self, variant: S) -> Result<(S::Value, Self), A::Error> {
        Ok((self.0.next_value_seed(variant)?, self))
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Rest<A> {
    type Error = A::Error;

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        seed.deserialize(MapAccessDeserializer::new(self.0))
    }

    fn unit_variant(self) -> Result<(), A::Error> {
        Err(A::Error::custom("a variant has members"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("a variant has members"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    tagged! {
        /// One of each kind.
        #[derive(Debug, PartialEq)]
        enum Shape {
            /// With a member.
            Circle { radius: u32, #[serde(default)] name: Option<String> },
            /// Without one.
            Dot {},
        }
    }

    #[test]
    fn the_tag_names_the_variant_wherever_it_stands() {
        let circle = Shape::Circle { radius: 2, name: None };
        for text in [r#"{"type":"circle","radius":2}"#, r#"{"radius":2,"type":"circle"}"#] {
            assert_eq!(serde_json::from_str::<Shape>(text).expect("a circle"), circle, "{text}");
        }
        assert_eq!(json!(circle), json!({"type": "circle", "radius": 2, "name": null}));
        assert_eq!(serde_json::from_str::<Shape>(r#"{"type":"dot"}"#).expect("a dot"), Shape::Dot {});
        for bad in [
            r#"["dot"]"#,
            r#""dot""#,
            r#"{"dot":{}}"#,
            r#"{"radius":2}"#,
            r#"{"type":"square"}"#,
            r#"{"type":"dot","radius":2}"#,
            r#"{"type":"dot","type":"dot"}"#,
            r#"{"type":"circle"}"#,
            r#"{}"#,
        ] {
            assert!(serde_json::from_str::<Shape>(bad).is_err(), "{bad}");
        }
    }
}
