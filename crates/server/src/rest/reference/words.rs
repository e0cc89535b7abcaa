//! The words around the reference, in English and Korean. What operations say of themselves is
//! English: it is the vendor's vocabulary.

use http::HeaderValue;

/// The words of one language.
pub(super) struct Words {
    /// Its code (BCP 47).
    pub(super) code: &'static str,
    pub(super) title: &'static str,
    pub(super) introduction: &'static str,
    pub(super) limits: &'static str,
    pub(super) skip: &'static str,
    pub(super) contents: &'static str,
    pub(super) description: &'static str,
    pub(super) other_language: &'static str,
    pub(super) other_code: &'static str,
    pub(super) scopes: &'static str,
    pub(super) any_scope: &'static str,
    pub(super) own: &'static str,
    pub(super) parameters: &'static str,
    pub(super) body: &'static str,
    pub(super) answers: &'static str,
    pub(super) example: &'static str,
    pub(super) types: &'static str,
    pub(super) required: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) meaning: &'static str,
    pub(super) status: &'static str,
}

pub(super) const ENGLISH: Words = Words {
    code: "en",
    title: "REST API",
    introduction: "GitHub’s REST API for packages, and what Naru adds to it. Every operation of \
                   this instance, made from the program itself.",
    limits: "Too many requests at once, or too many changes in a minute, are answered with 403, \
             “You have exceeded a secondary rate limit”, and Retry-After says in how many seconds \
             to come again.",
    skip: "Skip to the operations",
    contents: "Operations",
    description: "OpenAPI description",
    other_language: "한국어",
    other_code: "ko",
    scopes: "Token scopes, one of",
    any_scope: "No token scope is needed.",
    own: "Naru’s own",
    parameters: "Parameters",
    body: "Body",
    answers: "Answers",
    example: "Example",
    types: "Types",
    required: "required",
    name: "Name",
    kind: "Type",
    meaning: "Meaning",
    status: "Status",
};

pub(super) const KOREAN: Words = Words {
    code: "ko",
    title: "REST API",
    introduction: "GitHub의 패키지 REST API와 나루가 더한 것입니다. 이 인스턴스의 모든 작업이 \
                   프로그램에서 바로 만들어집니다.",
    limits: "한꺼번에 너무 많은 요청을 보내거나 1분 안에 너무 많이 변경하면 403 “You have exceeded a \
             secondary rate limit”으로 답하며, 몇 초 뒤에 다시 시도할지는 Retry-After가 \
             알려 줍니다.",
    skip: "작업 목록으로 건너뛰기",
    contents: "작업",
    description: "OpenAPI 문서",
    other_language: "English",
    other_code: "en",
    scopes: "필요한 토큰 범위(하나)",
    any_scope: "토큰 범위가 필요 없습니다.",
    own: "나루 전용",
    parameters: "매개변수",
    body: "본문",
    answers: "응답",
    example: "예",
    types: "타입",
    required: "필수",
    name: "이름",
    kind: "타입",
    meaning: "뜻",
    status: "상태",
};

impl Words {
    /// The language of `?lang=`, else the first that the browser names and we have.
    pub(super) fn choose(query: &str, accepted: Option<&HeaderValue>) -> &'static Self {
        for pair in query.split('&') {
            match pair {
                "lang=ko" => return &KOREAN,
                "lang=en" => return &ENGLISH,
                _ => {}
            }
        }
        let accepted = accepted.and_then(|value| value.to_str().ok());
        let codes = accepted.unwrap_or_default().split(',').map(str::trim);
        for code in codes {
            if code.starts_with("ko") {
                return &KOREAN;
            }
            if code.starts_with("en") {
                return &ENGLISH;
            }
        }
        &ENGLISH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_says_the_language_before_the_browser_does() {
        let accepts = |text| Some(HeaderValue::from_static(text));
        for (query, accepted, code) in [
            ("", None, "en"),
            ("", accepts("ko-KR,ko;q=0.9,en;q=0.8"), "ko"),
            ("", accepts("de,en;q=0.8,ko;q=0.7"), "en"),
            ("lang=en", accepts("ko"), "en"),
            ("a=b&lang=ko", accepts("en"), "ko"),
            ("lang=xx", accepts("xx"), "en"),
        ] {
            assert_eq!(
                Words::choose(query, accepted.as_ref()).code,
                code,
                "{query}"
            );
        }
    }
}
