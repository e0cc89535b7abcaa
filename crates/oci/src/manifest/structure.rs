//! One walk over the JSON before it is read: depth, number of descriptors, and keys that two
//! programs could read as two different things.
//!
//! Programs in Go match keys without regard to case and take the last of several; others take
//! the first, or only the exact one. So a key must stand once, and a key of the specification
//! must be spelled as it is there.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::manifest::{Manifest, ManifestError};
use crate::text::excerpt;

const MANIFEST_KEYS: [&str; 10] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "blobs",
    "subject",
    "annotations",
    "fsLayers",
];

const DESCRIPTOR_KEYS: [&str; 8] = [
    "mediaType",
    "digest",
    "size",
    "urls",
    "annotations",
    "data",
    "platform",
    "artifactType",
];

/// Checks the whole document.
pub(super) fn check(bytes: &[u8]) -> Result<(), ManifestError> {
    let mut walk = Walk::default();
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let step = Step {
        walk: &mut walk,
        place: Place::Manifest,
        depth: 0,
    };
    let end = step.deserialize(&mut json).and_then(|()| json.end());
    match (end, walk.fault) {
        (Ok(()), None) => Ok(()),
        (_, Some(fault)) => Err(fault),
        (Err(error), None) => Err(ManifestError::Json(error.to_string())),
    }
}

/// What the walk knows so far.
#[derive(Default)]
struct Walk {
    descriptors: usize,
    /// What ended it, since an error of serde cannot carry it.
    fault: Option<ManifestError>,
}

impl Walk {
    fn fail<T, E: Error>(&mut self, fault: ManifestError) -> Result<T, E> {
        self.fault = Some(fault);
        Err(E::custom("refused"))
    }
}

/// Which keys an object may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Manifest,
    Descriptor,
    Descriptors,
    Free,
}

impl Place {
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Manifest => &MANIFEST_KEYS,
            Self::Descriptor => &DESCRIPTOR_KEYS,
            Self::Descriptors | Self::Free => &[],
        }
    }

    /// What stands under a key.
    fn under(self, key: &str) -> Self {
        match (self, key) {
            (Self::Manifest, "config" | "subject") => Self::Descriptor,
            (Self::Manifest, "layers" | "manifests" | "blobs") => Self::Descriptors,
            _ => Self::Free,
        }
    }

    /// What stands in a list.
    const fn in_list(self) -> Self {
        match self {
            Self::Descriptors => Self::Descriptor,
            _ => Self::Free,
        }
    }
}

/// One value to be walked over.
struct Step<'w> {
    walk: &'w mut Walk,
    place: Place,
    depth: usize,
}

impl Step<'_> {
    fn enter<E: Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > Manifest::MAX_DEPTH {
            return self.walk.fail(ManifestError::TooDeep);
        }
        Ok(())
    }

    fn count<E: Error>(&mut self) -> Result<(), E> {
        if self.place == Place::Descriptor {
            self.walk.descriptors += 1;
        }
        if self.walk.descriptors > Manifest::MAX_DESCRIPTORS {
            return self.walk.fail(ManifestError::TooManyDescriptors);
        }
        Ok(())
    }

    fn check_case<E: Error>(&mut self, key: &str) -> Result<(), E> {
        let keys = self.place.keys();
        let folded = keys
            .iter()
            .find(|known| **known != key && is_folded(known, key));
        match folded {
            Some(expected) => self.walk.fail(ManifestError::KeyCase {
                given: excerpt(key),
                expected,
            }),
            None => Ok(()),
        }
    }

    fn check_unique<E: Error>(&mut self, mut keys: Vec<Cow<'_, str>>) -> Result<(), E> {
        keys.sort_unstable();
        let twice = keys.windows(2).find_map(|pair| match pair {
            [one, other] if one == other => Some(one),
            _ => None,
        });
        match twice {
            Some(key) => self
                .walk
                .fail(ManifestError::DuplicateKey { key: excerpt(key) }),
            None => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.enter()?;
        self.count()?;
        let mut keys = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            self.check_case(&key)?;
            let place = self.place.under(&key);
            map.next_value_seed(Step {
                walk: self.walk,
                place,
                depth: self.depth,
            })?;
            keys.push(key);
        }
        self.check_unique(keys)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.enter()?;
        let place = self.place.in_list();
        while list
            .next_element_seed(Step {
                walk: self.walk,
                place,
                depth: self.depth,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A key, borrowed from the document where it holds no escapes.
#[derive(serde::Deserialize)]
struct Key<'k>(#[serde(borrow)] Cow<'k, str>);

/// Whether a key is a known one to a program that folds case as Go does: without regard to
/// ASCII case, and with the long s and the Kelvin sign for the letters s and k.
fn is_folded(known: &str, key: &str) -> bool {
    let fold = |character: char| match character {
        'ſ' => 's',
        '\u{212A}' => 'k',
        _ => character.to_ascii_lowercase(),
    };
    known.chars().map(fold).eq(key.chars().map(fold))
}
