//! The pages of the handbook that are made from the code.

use std::fs;
use std::path::Path;

use naru::reference::Page;

#[test]
fn the_reference_pages_say_what_the_code_says() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    for page in Page::ALL {
        let text = fs::read_to_string(pages.join(page.file_name())).unwrap();
        assert!(
            page.made_anew(&text).unwrap() == text,
            "{} is out of date: cargo run -p naru -- reference docs/reference",
            page.file_name()
        );
    }
}

#[test]
fn a_page_without_the_marks_is_refused() {
    let refused = Page::Configuration.made_anew("# Configuration\n");
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("configuration.md")
    );
}
