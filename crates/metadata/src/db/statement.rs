//! Statements: every SQL text is a named constant, so that a test can prepare all of them.

use std::sync::OnceLock;

use super::Dialect;

/// The word of a statement that is planned anew; see [`Dialect`].
pub(super) const PLANNED_ANEW: &str = "{{PLANNED ANEW}}";

/// One SQL text for both databases, with its name in the source.
#[derive(Debug)]
pub struct Statement {
    name: &'static str,
    text: &'static str,
    is_short: bool,
    sqlite: OnceLock<String>,
    postgres: OnceLock<String>,
    columns: OnceLock<Vec<String>>,
}

impl Statement {
    /// Used by `statements!` only.
    #[must_use]
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self {
            name,
            text,
            is_short: false,
            sqlite: OnceLock::new(),
            postgres: OnceLock::new(),
            columns: OnceLock::new(),
        }
    }

    /// The same as one that SQLite answers within a few dozen microseconds, however much is stored:
    /// it is answered where it is asked, because to change the thread and come back costs more.
    #[must_use]
    pub const fn short(mut self) -> Self {
        self.is_short = true;
        self
    }

    /// Whether it is [`Statement::short`].
    #[must_use]
    pub const fn is_short(&self) -> bool {
        self.is_short
    }

    /// Its name in the source: `naru_metadata::tags::FIND`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The text as one of the databases reads it.
    pub fn text(&'static self, dialect: Dialect) -> &'static str {
        let cell = match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        cell.get_or_init(|| dialect.statement(self.text))
    }

    /// Whether PostgreSQL makes its plan for the values it is asked with, each time anew.
    #[must_use]
    pub fn is_planned_anew(&self) -> bool {
        self.text.contains(PLANNED_ANEW)
    }

    /// The names of the columns of its answer, which `find` gives once.
    pub(super) fn columns(&self, find: impl FnOnce() -> Vec<String>) -> &[String] {
        self.columns.get_or_init(find)
    }

    /// At which position the answer has a column.
    pub(super) fn position(&self, column: &str) -> Option<usize> {
        self.columns.get()?.iter().position(|name| name == column)
    }
}

/// Declares the statements of a module: `statements! { FIND = "SELECT …"; … }`, once in each
/// module that has some. The list `STATEMENTS` of the module is named in `lib.rs`. What every push or
/// pull asks is marked `#[short]`; see [`Statement::short`].
macro_rules! statements {
    ($($(#[$mark:ident])? $name:ident = $text:expr;)+) => {
        $(const $name: &$crate::db::Statement = {
            static STATEMENT: $crate::db::Statement = $crate::db::Statement::new(
                concat!(module_path!(), "::", stringify!($name)),
                $text,
            )$(.$mark())?;
            &STATEMENT
        };)+

        /// Every statement of this module.
        pub(crate) const STATEMENTS: &[&$crate::db::Statement] = &[$($name),+];
    };
}

pub(crate) use statements;
