//! Registry tokens that are none: each is refused as nobody's, whatever it claims (RFC 8725, "JSON
//! Web Token Best Current Practices").

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::kit::http::Credential;
use crate::kit::repo::Repo;
use crate::kit::server::plain;

/// A genuine token for a private repository, and its parts.
struct Genuine {
    repo: Repo<'static>,
    text: String,
    header: Value,
    claims: Value,
}

fn genuine(about: &str) -> Genuine {
    let repo = plain().repo(about);
    repo.push_image("v1");
    let token = repo.with_token("pull");
    token.get("manifests/v1").send().expect(200);
    let text = token.credential.secret().to_owned();
    let part = |number: usize| -> Value {
        let part = text.split('.').nth(number).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let (header, claims) = (part(0), part(1));
    Genuine {
        repo,
        header,
        claims,
        text,
    }
}

impl Genuine {
    fn parts(&self) -> [&str; 3] {
        let parts: Vec<&str> = self.text.split('.').collect();
        parts.try_into().unwrap()
    }

    fn kid(&self) -> &str {
        self.header["kid"].as_str().unwrap()
    }

    /// Nobody is let in by it, at no door.
    #[track_caller]
    fn is_refused(&self, what: &str, forged: &str) {
        assert_ne!(forged, self.text, "{what}: this is no forgery");
        let bearer = Credential::bearer(forged);
        let repo = self.repo.by(&bearer);
        let answer = repo.get("manifests/v1").send();
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        repo.server.get("/v2/").signed(&bearer).send().expect(401);
        let push = repo.post("blobs/uploads/").send();
        assert_eq!(push.status, 401, "{what}: {push:?}");
        let basic = Credential::basic("octo", forged);
        assert_eq!(
            repo.by(&basic).get("manifests/v1").send().status,
            401,
            "{what}"
        );
        let exchanged = repo
            .server
            .ask_token(&bearer, &[&repo.scope("pull")])
            .send();
        assert!(
            matches!(exchanged.status, 401 | 403),
            "{what}: {exchanged:?}"
        );
    }
}

fn encode(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(name);
    object
}

/// A key that the server has never seen.
fn own_key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn signed_by_own_key(header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(own_key().sign(message.as_bytes()));
    format!("{message}.{signature}")
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let genuine = genuine("forged-none");
    let [_, claims, signature] = genuine.parts();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = encode(&with(&genuine.header, "alg", json!(alg)));
        for end in ["", signature] {
            genuine.is_refused(alg, &format!("{header}.{claims}.{end}"));
        }
    }
    genuine.is_refused("no header", &format!(".{claims}.{signature}"));
    let message = genuine.text.rsplit_once('.').unwrap().0;
    genuine.is_refused("cut off", message);
    genuine.is_refused("empty signature", &format!("{message}."));
}

/// The public half of the server's key, or its name, is no secret to sign with.
#[test]
fn a_token_signed_with_a_hash_is_refused() {
    let genuine = genuine("forged-hmac");
    let kid = genuine.kid().to_owned();
    for (alg, algorithm) in [
        ("HS256", hmac::HMAC_SHA256),
        ("HS384", hmac::HMAC_SHA384),
        ("HS512", hmac::HMAC_SHA512),
    ] {
        for secret in [b"".as_slice(), kid.as_bytes(), b"secret", b"naru"] {
            let header = with(&genuine.header, "alg", json!(alg));
            let message = format!("{}.{}", encode(&header), encode(&genuine.claims));
            let tag = hmac::sign(&hmac::Key::new(algorithm, secret), message.as_bytes());
            genuine.is_refused(alg, &format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag)));
        }
    }
}

/// A header field that leads to a key, or changes what the signature is over, refuses the token.
#[test]
fn a_token_signed_with_a_key_of_ones_own_is_refused() {
    let genuine = genuine("forged-key");
    let own = URL_SAFE_NO_PAD.encode(own_key().public_key());
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": own });
    let headers = [
        genuine.header.clone(),
        with(&genuine.header, "kid", json!("own")),
        with(&genuine.header, "kid", json!("../../../dev/null")),
        with(&genuine.header, "kid", json!("' OR '1'='1")),
        with(&genuine.header, "kid", json!("")),
        with(&genuine.header, "kid", Value::Null),
        with(&genuine.header, "kid", json!([genuine.kid()])),
        without(&genuine.header, "kid"),
        without(&genuine.header, "alg"),
        without(&genuine.header, "typ"),
        with(&genuine.header, "typ", json!("at+jwt")),
        with(&genuine.header, "alg", json!("ES256")),
        with(&genuine.header, "alg", json!("RS256")),
        with(&genuine.header, "alg", json!("eddsa")),
        with(&genuine.header, "jwk", jwk.clone()),
        with(&with(&genuine.header, "jwk", jwk), "kid", json!("own")),
        with(&genuine.header, "jku", json!("http://127.0.0.1:1/keys")),
        with(&genuine.header, "x5u", json!("http://127.0.0.1:1/chain")),
        with(&genuine.header, "x5c", json!([own])),
        with(&genuine.header, "crit", json!(["exp"])),
        with(&genuine.header, "b64", json!(false)),
        with(&genuine.header, "cty", json!("JWT")),
        with(&genuine.header, "zip", json!("DEF")),
        json!([]),
        json!({}),
        Value::Null,
    ];
    for header in headers {
        let forged = signed_by_own_key(&header, &genuine.claims);
        genuine.is_refused(&header.to_string(), &forged);
    }
}

/// The same, with the genuine signature: the header is part of what is signed.
#[test]
fn a_genuine_signature_covers_the_header() {
    let genuine = genuine("forged-header");
    let [_, claims, signature] = genuine.parts();
    let kid = genuine.kid();
    for header in [
        with(&genuine.header, "cty", json!("JWT")).to_string(),
        with(&genuine.header, "alg", json!("none")).to_string(),
        genuine.header.to_string().replacen('{', "{ ", 1),
        genuine
            .header
            .to_string()
            .replacen('{', &format!("{{\"kid\":\"{kid}\","), 1),
    ] {
        let forged = format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode(&header));
        genuine.is_refused(&header, &forged);
    }
}

/// What a token says cannot be changed by whoever holds it.
#[test]
fn a_genuine_signature_covers_every_claim() {
    let genuine = genuine("forged-claims");
    let [header, _, signature] = genuine.parts();
    let claims = &genuine.claims;
    let names: Vec<String> = claims.as_object().unwrap().keys().cloned().collect();
    let removed = names.iter().map(|name| without(claims, name));
    let later = claims["exp"].as_i64().unwrap() + 1_000_000;
    let wider = json!([{ "type": "container", "owner": "octo", "name": "*", "actions": ["pull", "push", "delete"] }]);
    let changed = [
        with(claims, "exp", json!(later)),
        with(claims, "nbf", json!(0)),
        with(claims, "iat", json!(0)),
        with(claims, "aud", json!("another-registry")),
        with(claims, "iss", json!("another-issuer")),
        with(claims, "sub", json!("user:1")),
        with(claims, "sub", json!("anonymous")),
        with(claims, "token", json!(1)),
        with(claims, "jti", json!("another")),
        with(claims, "access", wider),
        with(claims, "site_admin", json!(true)),
    ];
    for claims in removed.chain(changed) {
        let forged = format!("{header}.{}.{signature}", encode(&claims));
        genuine.is_refused(&claims.to_string(), &forged);
    }
}

/// Parts of two genuine tokens are no genuine token.
#[test]
fn parts_of_two_tokens_make_no_third() {
    let (one, two) = (genuine("forged-splice"), genuine("forged-splice"));
    let ([header, claims, _], [_, other, signature]) = (one.parts(), two.parts());
    one.is_refused(
        "signature of another",
        &format!("{header}.{claims}.{signature}"),
    );
    two.is_refused(
        "claims of another",
        &format!("{header}.{other}.{}", one.parts()[2]),
    );
}

/// One token has one spelling.
#[test]
fn a_token_has_one_spelling() {
    let genuine = genuine("forged-spelling");
    let text = &genuine.text;
    let [header, claims, signature] = genuine.parts();
    // The last of 86 characters holds two bits of the signature; the other four must be zero.
    let spare = {
        const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = ALPHABET.find(&signature[85..]).unwrap();
        format!(
            "{header}.{claims}.{}{}",
            &signature[..85],
            &ALPHABET[last + 1..last + 2]
        )
    };
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for (what, forged) in [
        ("spare bits", spare),
        (
            "padding",
            format!("{header}.{claims}.{}", URL_SAFE.encode(&raw)),
        ),
        ("a dot behind", format!("{text}.")),
        ("a dot before", format!(".{text}")),
        ("five parts", format!("{text}.e30.e30")),
        ("a space inside", format!("{header}. {claims}.{signature}")),
        ("a comma", format!("{text},{text}")),
        ("upper case", text.to_uppercase()),
        ("cut off", text[..text.len() - 1].to_owned()),
        (
            "too long",
            format!("{header}.{}.{signature}", "A".repeat(9000)),
        ),
        ("nothing", "..".to_owned()),
        (
            "other alphabet",
            format!(
                "{header}.{claims}.{}",
                base64::engine::general_purpose::STANDARD_NO_PAD
                    .encode(raw)
                    .replace(['+', '/'], "+")
            ),
        ),
    ] {
        if forged != *text {
            genuine.is_refused(what, &forged);
        }
    }
    let flipped = |place: usize| {
        let mut bytes = text.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    for place in (0..text.len()).step_by(17) {
        if flipped(place) != *text {
            genuine.is_refused(&format!("changed at {place}"), &flipped(place));
        }
    }
}

/// And the genuine one still works, after all of that.
#[test]
fn forgeries_do_the_genuine_token_no_harm() {
    let genuine = genuine("forged-harmless");
    genuine.is_refused("cut off", &genuine.text[..genuine.text.len() - 3]);
    let bearer = Credential::bearer(&genuine.text);
    genuine
        .repo
        .by(&bearer)
        .get("manifests/v1")
        .send()
        .expect(200);
}
