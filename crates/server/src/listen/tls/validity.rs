//! From when until when a certificate is valid: the one field that we need and rustls does not
//! show (RFC 5280, section 4.1.2.5).

use naru_model::Moment;

/// The bounds of a certificate's validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Moment,
    pub(super) until: Moment,
}

// Tags of DER elements.
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

impl Validity {
    /// Reads it from a certificate in DER; `None` if that is not one.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (body, _) = element(certificate, SEQUENCE)?;
        let (body, _) = element(body, SEQUENCE)?;
        // Certificates of version 1 do not mention a version.
        let body = element(body, VERSION).map_or(body, |(_, rest)| rest);
        let (_serial_number, body) = element(body, INTEGER)?;
        let (_signature, body) = element(body, SEQUENCE)?;
        let (_issuer, body) = element(body, SEQUENCE)?;
        let (validity, _) = element(body, SEQUENCE)?;
        let (from, rest) = time(validity)?;
        let (until, _) = time(rest)?;
        Some(Self { from, until })
    }

    /// When to replace the certificate: after two thirds of its life, as its authorities advise.
    pub(super) fn renewal(self) -> Moment {
        self.from.plus(self.until.since(self.from) * 2 / 3)
    }
}

/// The contents of the element at the front, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        // So many bytes of length follow.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (
                bytes
                    .iter()
                    .fold(0, |length, byte| length << 8 | usize::from(*byte)),
                rest,
            )
        }
        _ => return None,
    };
    if first == tag {
        rest.split_at_checked(length)
    } else {
        None
    }
}

/// `YYMMDDHHMMSSZ` before 2050 and `YYYYMMDDHHMMSSZ` from then on, both in UTC.
fn time(der: &[u8]) -> Option<(Moment, &[u8])> {
    if let Some((text, rest)) = element(der, GENERALIZED_TIME) {
        return Some((moment(text)?, rest));
    }
    let (text, rest) = element(der, UTC_TIME)?;
    let century = if text.first()? < &b'5' { b"20" } else { b"19" };
    Some((moment(&[century, text].concat())?, rest))
}

fn moment(text: &[u8]) -> Option<Moment> {
    let digits = text
        .strip_suffix(b"Z")
        .filter(|digits| digits.len() == 14)?;
    let number = |from: usize, to: usize| -> Option<i64> {
        std::str::from_utf8(digits.get(from..to)?)
            .ok()?
            .parse()
            .ok()
    };
    let days = days_since_epoch(number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hours, minutes, seconds) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    Some(Moment::from_seconds(
        ((days * 24 + hours) * 60 + minutes) * 60 + seconds,
    ))
}

/// Days since 1970-01-01 in the Gregorian calendar, counting years from March so that the leap day
/// comes last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn certificate(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
        let mut wanted = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        wanted.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        wanted.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        wanted
            .self_signed(&rcgen::KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .to_vec()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let validity = Validity::of(&certificate((2024, 2, 29), (2051, 12, 31))).unwrap();
        assert_eq!(validity.from.to_string(), "2024-02-29T00:00:00Z");
        assert_eq!(validity.until.to_string(), "2051-12-31T00:00:00Z");
        let validity = Validity::of(&certificate((1975, 1, 1), (1999, 3, 1))).unwrap();
        assert_eq!(validity.from.to_string(), "1975-01-01T00:00:00Z");
        assert_eq!(validity.until.to_string(), "1999-03-01T00:00:00Z");
    }

    #[test]
    fn renewal_is_due_after_two_thirds() {
        let validity = Validity::of(&certificate((2026, 1, 1), (2026, 4, 1))).unwrap();
        assert_eq!(
            validity.renewal(),
            validity.from.plus(Duration::from_hours(60 * 24))
        );
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        let der = certificate((2026, 1, 1), (2027, 1, 1));
        for length in 0..200 {
            assert_eq!(Validity::of(&der[..length.min(der.len())]), None);
        }
        assert_eq!(Validity::of(&[0xff; 300]), None);
    }
}
