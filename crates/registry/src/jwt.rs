//! The form of a registry token: a signed JSON Web Token (RFC 7519) of one kind.
//!
//! One algorithm (EdDSA over Ed25519), a known key, and a header of exactly three fields; all
//! claims are required and strictly typed, and a field nobody defined refuses the token. Time is
//! compared with the injected clock.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use naru_model::{
    AccessList, AccountId, AccountName, Action, Actions, Moment, PackageName, PackagePath,
    PackageType, RepositoryId, TokenId,
};
use secrecy::{ExposeSecret, SecretBox};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The longest token that is looked at, in bytes.
pub(crate) const LONGEST: usize = 8 * 1024;
/// How far the clocks of two replicas may be apart.
pub(crate) const LEEWAY: Duration = Duration::from_secs(5);

const ISSUER: &str = "naru";
const AUDIENCE: &str = "naru-registry";

/// Why a text is no good registry token. Only told apart for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwtError {
    #[error("not a registry token")]
    Malformed,
    #[error("the header has another field or value than allowed")]
    Header,
    #[error("signed with a key that is not known")]
    UnknownKey,
    #[error("the signature is wrong")]
    Signature,
    #[error("the claims are not those of a registry token")]
    Claims,
    #[error("expired, or not yet valid")]
    Time,
}

/// Whom a registry token speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Anonymous,
    /// A user, and the personal access token that the registry token was made from.
    User(AccountId, TokenId),
    /// A workflow's repository, and its token.
    Workflow(RepositoryId, TokenId),
}

/// What a registry token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegistryToken {
    pub(crate) subject: Subject,
    pub(crate) access: AccessList,
    pub(crate) issued_at: Moment,
    pub(crate) expires_at: Moment,
    /// Names this one token, for logs.
    pub(crate) id: String,
}

/// A key that signs.
pub(crate) struct SigningKey {
    kid: String,
    seed: SecretBox<[u8; 32]>,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl SigningKey {
    pub(crate) const SEED_LEN: usize = 32;

    /// The key that grows from a seed; its id is a digest of its public half.
    pub(crate) fn from_seed(seed: [u8; Self::SEED_LEN]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        let public = pair.public_key().as_ref();
        let kid = hex::encode(Sha256::digest(public).get(..8)?);
        let document = pair.to_pkcs8().ok()?;
        Some(Self {
            kid,
            seed: SecretBox::new(Box::new(seed)),
            encoding: EncodingKey::from_ed_der(document.as_ref()),
            decoding: DecodingKey::from_ed_der(public),
        })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// To be sealed at once.
    pub(crate) fn expose_seed(&self) -> &[u8] {
        self.seed.expose_secret()
    }

    /// The key without what signs.
    pub(crate) fn verifying(&self) -> (String, DecodingKey) {
        (self.kid.clone(), self.decoding.clone())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// The header, whole. Anything else in it refuses the token: `jku`, `jwk`, `x5u`, `crit` and their
/// like let a token choose how it is verified.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    /// The stored token behind it; none for an anonymous caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<TokenId>,
    access: Vec<Access>,
}

/// One entry of the `access` claim (distribution, "Token Authentication Implementation"), with the
/// registry it is for.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Access {
    #[serde(rename = "type")]
    registry: PackageType,
    owner: AccountName,
    name: PackageName,
    actions: Vec<Action>,
}

/// Signs what a token says.
pub(crate) fn sign(token: &RegistryToken, key: &SigningKey) -> Result<String, JwtError> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(key.kid.clone());
    let (sub, stored) = match token.subject {
        Subject::Anonymous => ("anonymous".to_owned(), None),
        Subject::User(user, stored) => (format!("user:{user}"), Some(stored)),
        Subject::Workflow(repository, stored) => (format!("repository:{repository}"), Some(stored)),
    };
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub,
        iat: token.issued_at.as_seconds(),
        nbf: token.issued_at.as_seconds(),
        exp: token.expires_at.as_seconds(),
        jti: token.id.clone(),
        token: stored,
        access: token.access.iter().map(access_claim).collect(),
    };
    jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(|_| JwtError::Malformed)
}

fn access_claim((path, actions): (&PackagePath, Actions)) -> Access {
    Access {
        registry: path.package_type,
        owner: path.owner.clone(),
        name: path.name.clone(),
        actions: actions.iter().collect(),
    }
}

/// The id of the key that a token says it was signed with, after its header was found to be of the
/// one form there is.
pub(crate) fn key_id(text: &str) -> Result<String, JwtError> {
    if text.len() > LONGEST || text.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Err(JwtError::Malformed);
    }
    let (header, _) = text.split_once('.').ok_or(JwtError::Malformed)?;
    let json = URL_SAFE_NO_PAD
        .decode(header)
        .map_err(|_| JwtError::Malformed)?;
    let header: StrictHeader<'_> = serde_json::from_slice(&json).map_err(|_| JwtError::Header)?;
    if header.alg != "EdDSA" || header.typ != "JWT" {
        return Err(JwtError::Header);
    }
    Ok(header.kid.to_owned())
}

/// Reads a token that one of `keys` signed and that is good at `now`.
pub(crate) fn verify(
    text: &str,
    keys: &HashMap<String, DecodingKey>,
    now: Moment,
) -> Result<RegistryToken, JwtError> {
    let key = keys.get(&key_id(text)?).ok_or(JwtError::UnknownKey)?;
    let claims = jsonwebtoken::decode::<Claims>(text, key, &validation()).map_err(|error| {
        use jsonwebtoken::errors::ErrorKind;
        match error.kind() {
            ErrorKind::InvalidSignature => JwtError::Signature,
            _ => JwtError::Claims,
        }
    })?;
    let token = read(claims.claims)?;
    if is_timely(&token, now) {
        Ok(token)
    } else {
        Err(JwtError::Time)
    }
}

/// Whether a token is good at `now`, give or take the leeway.
pub(crate) fn is_timely(token: &RegistryToken, now: Moment) -> bool {
    token.issued_at <= now.plus(LEEWAY) && now < token.expires_at.plus(LEEWAY)
}

/// The library checks the signature, issuer and audience; time is checked with our own clock.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "nbf", "exp"]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

fn read(claims: Claims) -> Result<RegistryToken, JwtError> {
    let subject = match (claims.sub.split_once(':'), claims.token) {
        (None, None) if claims.sub == "anonymous" => Subject::Anonymous,
        (Some(("user", id)), Some(token)) => Subject::User(AccountId::new(number(id)?), token),
        (Some(("repository", id)), Some(token)) => {
            Subject::Workflow(RepositoryId::new(number(id)?), token)
        }
        _ => return Err(JwtError::Claims),
    };
    if claims.nbf != claims.iat || claims.exp <= claims.iat || claims.jti.is_empty() {
        return Err(JwtError::Claims);
    }
    Ok(RegistryToken {
        subject,
        access: claims.access.into_iter().map(access).collect(),
        issued_at: Moment::from_seconds(claims.iat),
        expires_at: Moment::from_seconds(claims.exp),
        id: claims.jti,
    })
}

fn number(text: &str) -> Result<i64, JwtError> {
    text.parse()
        .ok()
        .filter(|id| *id > 0)
        .ok_or(JwtError::Claims)
}

fn access(claim: Access) -> (PackagePath, Actions) {
    let path = PackagePath {
        package_type: claim.registry,
        owner: claim.owner,
        name: claim.name,
    };
    (path, claim.actions.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed([byte; 32]).unwrap()
    }

    fn known() -> HashMap<String, DecodingKey> {
        [key(1).verifying()].into_iter().collect()
    }

    fn token() -> RegistryToken {
        let path = PackagePath::new(PackageType::Container, &"octo/app".parse().unwrap()).unwrap();
        RegistryToken {
            subject: Subject::User(AccountId::new(7), TokenId::new(9)),
            access: [(path, Actions::NONE.with(Action::Pull))]
                .into_iter()
                .collect(),
            issued_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(300)),
            id: "0123".to_owned(),
        }
    }

    /// A token with any header and claims, signed correctly by `key`.
    fn forged(header: &Value, claims: &Value, key: &SigningKey) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let pair = Ed25519KeyPair::from_seed_unchecked(key.expose_seed()).unwrap();
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()).as_ref());
        format!("{message}.{signature}")
    }

    fn header() -> Value {
        json!({"typ": "JWT", "alg": "EdDSA", "kid": key(1).kid()})
    }

    fn claims() -> Value {
        let text = sign(&token(), &key(1)).unwrap();
        let payload = text.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    fn with(mut object: Value, name: &str, value: Value) -> Value {
        object[name] = value;
        object
    }

    fn without(mut object: Value, name: &str) -> Value {
        object.as_object_mut().unwrap().remove(name);
        object
    }

    #[test]
    fn a_signed_token_says_what_it_said() {
        let text = sign(&token(), &key(1)).unwrap();
        assert!(text.len() < 1024);
        assert_eq!(verify(&text, &known(), NOW).unwrap(), token());
        assert_eq!(forged(&header(), &claims(), &key(1)).len(), text.len());
        assert_eq!(
            verify(&forged(&header(), &claims(), &key(1)), &known(), NOW),
            Ok(token())
        );
    }

    #[test]
    fn anonymous_and_workflow_tokens_are_read_back() {
        for subject in [
            Subject::Anonymous,
            Subject::Workflow(RepositoryId::new(3), TokenId::new(4)),
        ] {
            let token = RegistryToken { subject, ..token() };
            let text = sign(&token, &key(1)).unwrap();
            assert_eq!(verify(&text, &known(), NOW), Ok(token));
        }
    }

    #[test]
    fn a_token_lives_as_long_as_it_says_give_or_take_five_seconds() {
        let text = sign(&token(), &key(1)).unwrap();
        let at = |seconds: i64| verify(&text, &known(), Moment::from_seconds(seconds)).is_ok();
        let start = NOW.as_seconds();
        assert!(!at(start - 6) && at(start - 5) && at(start + 304) && !at(start + 305));
    }

    #[test]
    fn any_other_header_is_refused() {
        let kid = key(1).kid().to_owned();
        let cases = [
            with(header(), "alg", json!("none")),
            with(header(), "alg", json!("HS256")),
            with(header(), "alg", json!("ES256")),
            with(header(), "alg", json!("eddsa")),
            with(header(), "typ", json!("at+jwt")),
            with(header(), "jku", json!("https://evil.example/keys")),
            with(
                header(),
                "jwk",
                json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}),
            ),
            with(header(), "x5u", json!("https://evil.example/cert")),
            with(header(), "x5c", json!([])),
            with(header(), "crit", json!([])),
            with(header(), "b64", json!(false)),
            with(header(), "cty", json!("JWT")),
            with(header(), "zip", json!("DEF")),
            with(header(), "kid", json!(null)),
            with(header(), "kid", json!([kid])),
            without(header(), "kid"),
            without(header(), "typ"),
            without(header(), "alg"),
            json!([]),
            json!("EdDSA"),
        ];
        for header in cases {
            let text = forged(&header, &claims(), &key(1));
            assert_eq!(
                verify(&text, &known(), NOW),
                Err(JwtError::Header),
                "{header}"
            );
        }
    }

    #[test]
    fn a_header_with_the_same_field_twice_is_refused() {
        let double = format!(
            "{{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"x\",\"kid\":\"{}\"}}",
            key(1).kid()
        );
        let text = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(double));
        assert_eq!(verify(&text, &known(), NOW), Err(JwtError::Header));
    }

    #[test]
    fn a_key_that_is_not_known_verifies_nothing_whatever_its_name() {
        let stranger = key(2);
        let own = with(header(), "kid", json!(stranger.kid()));
        let text = forged(&own, &claims(), &stranger);
        assert_eq!(verify(&text, &known(), NOW), Err(JwtError::UnknownKey));
        let text = forged(&header(), &claims(), &stranger);
        assert_eq!(verify(&text, &known(), NOW), Err(JwtError::Signature));
    }

    #[test]
    fn claims_are_required_strictly_typed_and_no_more() {
        let names = [
            "iss", "aud", "sub", "iat", "nbf", "exp", "jti", "access", "token",
        ];
        let missing = names.map(|name| without(claims(), name));
        let changed = [
            with(claims(), "iss", json!("other")),
            with(claims(), "iss", json!(["naru"])),
            with(claims(), "aud", json!("other")),
            with(claims(), "aud", json!(["naru-registry"])),
            with(claims(), "sub", json!("anonymous")),
            with(claims(), "sub", json!("user:0")),
            with(claims(), "sub", json!("user:-7")),
            with(claims(), "sub", json!("user:7x")),
            with(claims(), "sub", json!("system")),
            with(claims(), "sub", json!(7)),
            with(claims(), "iat", json!("1800000000")),
            with(claims(), "iat", json!(1_800_000_000.5)),
            with(claims(), "nbf", json!(0)),
            with(claims(), "exp", json!("1800000300")),
            with(claims(), "exp", json!(1e30)),
            with(claims(), "exp", json!(1_800_000_000)),
            with(claims(), "exp", json!(null)),
            with(claims(), "jti", json!("")),
            with(claims(), "jti", json!(1)),
            with(claims(), "token", json!("9")),
            with(claims(), "access", json!({})),
            with(
                claims(),
                "access",
                json!([{"type": "container", "owner": "o", "name": "a"}]),
            ),
            with(
                claims(),
                "access",
                json!([{"type": "container", "owner": "o", "name": "a", "actions": ["*"]}]),
            ),
            with(
                claims(),
                "access",
                json!([{"type": "npm", "owner": "o", "name": "a", "actions": ["pull"]}]),
            ),
            with(claims(), "site_admin", json!(true)),
            with(claims(), "scopes", json!("repo")),
        ];
        for claims in missing.into_iter().chain(changed) {
            let text = forged(&header(), &claims, &key(1));
            assert_eq!(
                verify(&text, &known(), NOW),
                Err(JwtError::Claims),
                "{claims}"
            );
        }
    }

    #[test]
    fn a_changed_token_is_refused_wherever_it_was_changed() {
        let text = sign(&token(), &key(1)).unwrap();
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(verify(&changed, &known(), NOW).is_err(), "{place}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_looking_long() {
        let good = sign(&token(), &key(1)).unwrap();
        let (message, _) = good.rsplit_once('.').unwrap();
        let long = format!("{}.e30.AA", "A".repeat(LONGEST));
        for text in [
            "",
            ".",
            "..",
            "...",
            "a.b",
            "a.b.c.d",
            message,
            &format!("{message}."),
            &long,
        ] {
            assert!(verify(text, &known(), NOW).is_err(), "{text:?}");
        }
        assert!(verify(&format!("{good}="), &known(), NOW).is_err());
        assert!(verify(&format!("{good}."), &known(), NOW).is_err());
        assert!(verify(&format!(" {good}"), &known(), NOW).is_err());
    }
}
