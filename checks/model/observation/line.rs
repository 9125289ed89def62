//! A line as it is written: `seq`, `at`, and one field named after what it holds.
//!
//! By hand and not derived: most of a judge's time goes into reading lines, and a struct with a
//! place for each of nine observations would move all of them about for the one that is there.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
    ser::SerializeStruct as _,
};

use crate::model::observation::{Fact, ObjectChange, Observation, object::Object};

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Field {
    Seq,
    At,
    Subject,
    Change,
    Object,
    Gap,
    Step,
    Read,
    Canary,
    Lookup,
    #[serde(rename = "diagnosis")]
    Inquiry,
    End,
    Signature,
    /// Of a newer version.
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Observation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Line)
    }
}

struct Line;

impl<'de> Visitor<'de> for Line {
    type Value = Observation;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a line of a recording")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Observation, A::Error> {
        let (mut seq, mut at) = (None, None);
        let mut held = PartialLine { change: None, object: None, what: None };
        while let Some(field) = map.next_key()? {
            match field {
                Field::Seq => seq = Some(map.next_value()?),
                Field::At => at = Some(map.next_value()?),
                Field::Change => held.change = Some(map.next_value()?),
                Field::Object => held.object(map.next_value()?)?,
                Field::Subject => held.put(Fact::Subject(map.next_value()?))?,
                Field::Gap => held.put(Fact::Gap(map.next_value()?))?,
                Field::Step => held.put(Fact::Step(map.next_value()?))?,
                Field::Read => held.put(Fact::Read(map.next_value()?))?,
                Field::Canary => held.put(Fact::Canary(map.next_value()?))?,
                Field::Lookup => held.put(Fact::Lookup(map.next_value()?))?,
                Field::Inquiry => held.put(Fact::Inquiry(map.next_value()?))?,
                Field::End => held.put(Fact::End(map.next_value()?))?,
                Field::Signature => held.put(Fact::Signature(map.next_value()?))?,
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Observation {
            seq: seq.ok_or_else(|| A::Error::missing_field("seq"))?,
            at: at.ok_or_else(|| A::Error::missing_field("at"))?,
            what: held.what()?,
        })
    }
}

/// What a line was seen to hold so far.
struct PartialLine {
    change: Option<ObjectChange>,
    /// An object that came before its change.
    object: Option<Object>,
    what: Option<Fact>,
}

impl PartialLine {
    fn put<E: Error>(&mut self, what: Fact) -> Result<(), E> {
        if self.what.is_some() || self.object.is_some() {
            return Err(E::custom("a line holds one observation, this one holds several"));
        }
        self.what = Some(what);
        Ok(())
    }

    fn object<E: Error>(&mut self, object: Object) -> Result<(), E> {
        if let Some(change) = self.change.take() {
            return self.put(Fact::Object(change, object));
        }
        if self.what.is_some() || self.object.replace(object).is_some() {
            return Err(E::custom("a line holds one observation, this one holds several"));
        }
        Ok(())
    }

    fn what<E: Error>(self) -> Result<Fact, E> {
        match (self.what, self.change, self.object) {
            (what, None, None) => Ok(what.unwrap_or(Fact::Unknown)),
            (None, Some(change), Some(object)) => Ok(Fact::Object(change, object)),
            _ => Err(E::custom("an object needs both `change` and `object`")),
        }
    }
}

impl Serialize for Observation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("Observation", 4)?;
        line.serialize_field("seq", &self.seq)?;
        line.serialize_field("at", &self.at)?;
        match &self.what {
            Fact::Subject(it) => line.serialize_field("subject", it)?,
            Fact::Object(change, it) => {
                line.serialize_field("change", change)?;
                line.serialize_field("object", it)?;
            }
            Fact::Gap(it) => line.serialize_field("gap", it)?,
            Fact::Step(it) => line.serialize_field("step", it)?,
            Fact::Read(it) => line.serialize_field("read", it)?,
            Fact::Canary(it) => line.serialize_field("canary", it)?,
            Fact::Lookup(it) => line.serialize_field("lookup", it)?,
            Fact::Inquiry(it) => line.serialize_field("diagnosis", it)?,
            Fact::End(it) => line.serialize_field("end", it)?,
            Fact::Signature(it) => line.serialize_field("signature", it)?,
            Fact::Unknown => {}
        }
        line.end()
    }
}
