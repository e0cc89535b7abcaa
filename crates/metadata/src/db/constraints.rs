//! Names of unique constraints. SQLite tells the columns, PostgreSQL the name; the schema knows
//! both.

use super::migrate;

/// The name PostgreSQL gives to the unique index over `columns`, which SQLite prints as
/// `table.a, table.b`.
pub(crate) fn name(columns: &str, primary_key: bool) -> String {
    let mut table = "";
    let names: Vec<&str> = columns
        .split(", ")
        .filter_map(|column| {
            let (of, name) = column.split_once('.')?;
            table = of;
            Some(name)
        })
        .collect();
    if primary_key {
        return format!("{table}_pkey");
    }
    let declared = format!(" ON {table} ({})", names.join(", "));
    let named = migrate::scripts().find_map(|script| index_before(script, &declared));
    named.unwrap_or_else(|| format!("{table}_{}_key", names.join("_")))
}

/// The name between `CREATE UNIQUE INDEX ` and the declaration.
fn index_before(script: &str, declared: &str) -> Option<String> {
    script.lines().find_map(|line| {
        let (before, _) = line.split_once(declared)?;
        Some(before.strip_prefix("CREATE UNIQUE INDEX ")?.to_owned())
    })
}
