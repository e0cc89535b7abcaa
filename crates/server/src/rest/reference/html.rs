//! The page: one document, an entry for each operation with its name as the anchor, and no script.

use std::fmt::Write as _;

use super::read::{Entry, Field, Kind, Reference, Section, Type};
use super::words::Words;
use super::{PATH, STYLE_PATH};
use crate::rest::error::SECONDARY_RATE_LIMITS;

/// What stands in the page where the address of the API belongs.
pub(super) const API: &str = "\u{1}api\u{1}";

/// The page in one language.
pub(super) fn page(reference: &Reference, words: &Words) -> String {
    let mut out = String::with_capacity(256 << 10);
    head(&mut out, words);
    navigation(&mut out, reference, words);
    out.push_str("<main id=\"operations\">");
    for section in &reference.sections {
        operations(&mut out, section, words);
    }
    types(&mut out, &reference.types, words);
    out.push_str("</main></div></body></html>\n");
    out
}

/// Writing to a text cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {{
        let _ = write!($out, $($text)*);
    }};
}

fn head(out: &mut String, words: &Words) {
    let Words {
        code,
        title,
        introduction,
        limits,
        skip,
        description,
        other_language,
        other_code,
        ..
    } = words;
    put!(
        out,
        "<!doctype html>\n<html lang=\"{code}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title} · Naru</title><link rel=\"stylesheet\" href=\"{STYLE_PATH}\"></head><body>\
         <a class=\"skip\" href=\"#operations\">{skip}</a>\
         <header><p class=\"brand\"><a href=\"/\">Naru</a></p><h1>{title}</h1>\
         <p class=\"lead\">{introduction}</p><p id=\"{SECONDARY_RATE_LIMITS}\">{limits}</p>\
         <p class=\"links\"><code>{API}</code> <a href=\"{API}/openapi.json\">{description}</a> \
         <a href=\"{PATH}?lang={other_code}\" hreflang=\"{other_code}\" lang=\"{other_code}\">\
         {other_language}</a></p></header><div class=\"columns\">"
    );
}

fn navigation(out: &mut String, reference: &Reference, words: &Words) {
    put!(out, "<nav aria-label=\"{0}\"><h2>{0}</h2>", words.contents);
    for section in &reference.sections {
        let name = heading(&section.name);
        let count = section.entries.len();
        put!(
            out,
            "<details open><summary>{name} <span>{count}</span></summary><ul>"
        );
        for entry in &section.entries {
            put!(
                out,
                "<li><a href=\"#{id}\"><span class=\"method {class}\">{method}</span> {summary}",
                id = entry.id,
                class = entry.method.to_ascii_lowercase(),
                method = entry.method,
                summary = escaped(&entry.summary),
            );
            if section.names_twice(&entry.summary) {
                put!(out, "<code>{}</code>", escaped(entry.path));
            }
            out.push_str("</a>");
        }
        out.push_str("</ul></details>");
    }
    put!(out, "<p><a href=\"#types\">{}</a></p></nav>", words.types);
}

fn operations(out: &mut String, section: &Section, words: &Words) {
    put!(
        out,
        "<section aria-labelledby=\"section-{0}\"><h2 id=\"section-{0}\">{1}</h2>",
        section.name,
        heading(&section.name)
    );
    for entry in &section.entries {
        operation(out, entry, words);
    }
    out.push_str("</section>");
}

fn operation(out: &mut String, entry: &Entry, words: &Words) {
    let Entry {
        id, method, path, ..
    } = entry;
    let class = method.to_ascii_lowercase();
    put!(
        out,
        "<article id=\"{id}\" aria-labelledby=\"h-{id}\"><h3 id=\"h-{id}\"><a href=\"#{id}\">{}</a>",
        escaped(&entry.summary)
    );
    if entry.is_own {
        put!(out, " <span class=\"own\">{}</span>", words.own);
    }
    put!(
        out,
        "</h3><p class=\"address\"><span class=\"method {class}\">{method}</span> <code>{}</code></p>",
        path_with_places(path)
    );
    prose(out, &entry.description);
    scopes(out, entry, words);
    fields(out, words.parameters, &entry.parameters, words);
    if let Some(body) = &entry.body {
        put!(out, "<h4>{}</h4><p>{}</p>", words.body, typed(body));
    }
    answers(out, entry, words);
    example(out, entry, words);
    out.push_str("</article>");
}

fn scopes(out: &mut String, entry: &Entry, words: &Words) {
    if entry.scopes.is_empty() {
        put!(out, "<p class=\"scopes\">{}</p>", words.any_scope);
        return;
    }
    put!(out, "<p class=\"scopes\">{}: ", words.scopes);
    for scope in &entry.scopes {
        put!(out, "<code>{scope}</code> ");
    }
    out.push_str("</p>");
}

fn fields(out: &mut String, title: &str, fields: &[Field], words: &Words) {
    if fields.is_empty() {
        return;
    }
    put!(
        out,
        "<h4>{title}</h4><div class=\"wide\"><table><thead><tr><th scope=\"col\">{}<th \
         scope=\"col\">{}<th scope=\"col\">{}</thead><tbody>",
        words.name,
        words.kind,
        words.meaning
    );
    for field in fields {
        put!(
            out,
            "<tr><th scope=\"row\"><code>{}</code>",
            escaped(&field.name)
        );
        if field.is_required {
            put!(out, " <span class=\"required\">{}</span>", words.required);
        }
        put!(
            out,
            "<td>{}<td>{}",
            typed(&field.kind),
            inline(&field.meaning)
        );
    }
    out.push_str("</tbody></table></div>");
}

fn answers(out: &mut String, entry: &Entry, words: &Words) {
    put!(
        out,
        "<h4>{}</h4><div class=\"wide answers\"><table><thead><tr><th scope=\"col\">{}<th \
         scope=\"col\">{}<th scope=\"col\">{}</thead><tbody>",
        words.answers,
        words.status,
        words.meaning,
        words.kind
    );
    for answer in &entry.answers {
        let body = answer.body.as_ref().map(typed).unwrap_or_default();
        put!(
            out,
            "<tr><th scope=\"row\"><code>{}</code><td>{}<td>{body}",
            escaped(&answer.status),
            inline(&answer.meaning)
        );
    }
    out.push_str("</tbody></table></div>");
}

fn example(out: &mut String, entry: &Entry, words: &Words) {
    let method = match entry.method.as_str() {
        "GET" => String::new(),
        method => format!(" -X {method}"),
    };
    let body = if entry.body.is_some() {
        " \\\n  --json @body.json"
    } else {
        ""
    };
    let path = escaped(entry.path);
    put!(
        out,
        "<details class=\"example\"><summary>{}</summary><pre><code>curl{method} -H \
         \"Authorization: Bearer $TOKEN\" \\\n  \"{API}{path}\"{body}</code></pre></details>",
        words.example
    );
}

fn types(out: &mut String, types: &[Type], words: &Words) {
    put!(
        out,
        "<section aria-labelledby=\"types\"><h2 id=\"types\">{}</h2>",
        words.types
    );
    for one in types {
        let name = escaped(&one.name);
        put!(
            out,
            "<article id=\"type-{name}\"><h3><a href=\"#type-{name}\">{name}</a></h3>"
        );
        prose(out, &one.meaning);
        fields(out, "", &one.fields, words);
        out.push_str("</article>");
    }
    out.push_str("</section>");
}

/// A kind, leading to its type if it has a name.
fn typed(kind: &Kind) -> String {
    let words = escaped(&kind.words);
    match &kind.named {
        Some(name) => {
            let name = escaped(name);
            let link = format!("<a href=\"#type-{name}\">{name}</a>");
            format!("{words} {link}").trim().to_owned()
        }
        None => words,
    }
}

/// A path with its places set apart.
fn path_with_places(path: &str) -> String {
    escaped(path).replace('{', "<var>{").replace('}', "}</var>")
}

/// `artifact-metadata` as a heading.
pub(super) fn heading(name: &str) -> String {
    let mut letters = name.replace('-', " ");
    if let Some(first) = letters.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    letters
}

/// Paragraphs of Markdown.
fn prose(out: &mut String, text: &str) {
    for paragraph in text.split("\n\n").filter(|text| !text.trim().is_empty()) {
        put!(out, "<p>{}</p>", inline(paragraph.trim()));
    }
}

/// A line of Markdown, of which only code is known.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for (number, piece) in text.split('`').enumerate() {
        let piece = escaped(piece);
        if number % 2 == 1 {
            put!(out, "<code>{piece}</code>");
        } else {
            out.push_str(&piece);
        }
    }
    out
}

/// Text that means nothing in HTML, also between quotation marks.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::words::{ENGLISH, KOREAN};
    use super::*;
    use crate::rest::routes;

    #[test]
    fn every_operation_and_every_type_has_an_anchor_and_every_link_leads_to_one() {
        let reference = Reference::read(&routes::table());
        for words in [&ENGLISH, &KOREAN] {
            let page = page(&reference, words);
            for entry in reference
                .sections
                .iter()
                .flat_map(|section| &section.entries)
            {
                assert!(page.contains(&format!("<article id=\"{}\"", entry.id)));
            }
            for link in page.split("href=\"#").skip(1) {
                let target = link.split('"').next().unwrap();
                assert!(page.contains(&format!("id=\"{target}\"")), "{target}");
            }
        }
    }

    #[test]
    fn the_page_has_no_script_and_names_no_other_host() {
        let page = page(&Reference::read(&routes::table()), &ENGLISH);
        for foreign in [
            "<script",
            "javascript:",
            "href=\"http",
            "src=",
            "style=\"",
            " onclick",
        ] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escaped("<a href=\"'&\">"),
            "&lt;a href=&quot;&#39;&amp;&quot;&gt;"
        );
        assert_eq!(inline("a `<b>` c"), "a <code>&lt;b&gt;</code> c");
        assert_eq!(heading("rate-limit"), "Rate limit");
    }
}
