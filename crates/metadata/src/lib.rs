//! Facts by name: the only room that speaks SQL.
//!
//! Read in this order: [`Db`] and the seam below it, then one module for each noun, with one
//! function for each question. A question takes a [`Conn`]; one that changes something takes a
//! [`Tx`], which is a `Conn` too. Absence is `None`.

pub mod db;
mod error;
mod settings;

pub mod changes;
pub mod collector;
pub mod links;
pub mod packages;
pub mod tags;
pub mod uploads;
pub mod versions;

pub use changes::ChangeStamp;
pub use db::{Conn, Db, SchemaPolicy, Tx};
pub use error::{Error, Result, SchemaError};
pub use settings::DatabaseSettings;

/// Every statement of the crate, module by module.
pub fn statements() -> impl Iterator<Item = &'static db::Statement> {
    let modules = [
        db::migrate::STATEMENTS,
        db::migrate::APPLIED_STATEMENTS,
        changes::STATEMENTS,
        collector::STATEMENTS,
        links::STATEMENTS,
        packages::STATEMENTS,
        tags::STATEMENTS,
        uploads::STATEMENTS,
        versions::STATEMENTS,
    ];
    modules.into_iter().flatten().copied()
}
