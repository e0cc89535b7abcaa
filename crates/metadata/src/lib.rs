//! Facts by name: the only room that speaks SQL.
//!
//! Read in this order: [`Db`] and the seam below it, then one module for each noun, with one
//! function for each question. A question takes a [`Conn`]; one that changes something takes a
//! [`Tx`], which is a `Conn` too. Absence is `None`.

pub mod db;
mod error;
mod settings;

pub mod accounts;
pub mod collaborators;
pub mod grants;
pub mod members;
pub mod organizations;
pub mod profiles;
pub mod readmes;
pub mod repositories;
pub mod repository_lists;
pub mod team_trees;
pub mod teams;
pub mod tokens;

pub mod artifacts;
pub mod attestations;
pub mod gone;

pub mod collector;
pub mod links;
pub mod package_lists;
pub mod package_settings;
pub mod packages;
pub mod quotas;
pub mod search;
pub mod statistics;
pub mod tag_history;
pub mod tag_rules;
pub mod tags;
pub mod uploads;
pub mod usage;
pub mod versions;

pub mod changes;
pub mod checks;
pub mod events;
pub mod instance;
pub mod jobs;
pub mod page;
pub mod signing_keys;

pub use changes::ChangeStamp;
pub use db::{Conn, Db, SchemaPolicy, Tx};
pub use error::{Error, Result, SchemaError};
pub use page::{BothWays, Cursor, Edge, Page};
pub use settings::DatabaseSettings;

/// Every statement of the crate, module by module. Those whose name begins with the name of a
/// database are for that one only.
pub fn statements() -> impl Iterator<Item = &'static db::Statement> {
    let modules = [
        accounts::STATEMENTS,
        artifacts::STATEMENTS,
        attestations::STATEMENTS,
        changes::STATEMENTS,
        collaborators::STATEMENTS,
        checks::STATEMENTS,
        collector::STATEMENTS,
        db::migrate::STATEMENTS,
        db::migrate::APPLIED_STATEMENTS,
        events::STATEMENTS,
        gone::STATEMENTS,
        grants::STATEMENTS,
        instance::STATEMENTS,
        jobs::STATEMENTS,
        links::STATEMENTS,
        members::STATEMENTS,
        organizations::STATEMENTS,
        package_lists::STATEMENTS,
        package_settings::STATEMENTS,
        packages::STATEMENTS,
        quotas::STATEMENTS,
        profiles::STATEMENTS,
        readmes::STATEMENTS,
        repositories::STATEMENTS,
        repository_lists::STATEMENTS,
        search::STATEMENTS,
        signing_keys::STATEMENTS,
        statistics::STATEMENTS,
        tag_history::STATEMENTS,
        tag_rules::STATEMENTS,
        tags::STATEMENTS,
        team_trees::STATEMENTS,
        teams::STATEMENTS,
        tokens::STATEMENTS,
        uploads::STATEMENTS,
        usage::STATEMENTS,
        versions::STATEMENTS,
    ];
    let modules = modules.into_iter();
    let below = [
        grants::STATEMENTS_BELOW,
        repositories::STATEMENTS_BELOW,
        usage::STATEMENTS_BELOW,
        versions::STATEMENTS_BELOW,
    ];
    let below = below.into_iter().flatten().copied();
    modules.chain(below).flatten().copied()
}
