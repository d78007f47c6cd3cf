//! What the collector writes and what the schema has agree: names of columns, table by table.

use std::fs;
use std::path::Path;

use collector_core::insert::Table;

/// The names of a table's columns, in order, as its CREATE TABLE and later ALTER TABLE ... ADD COLUMN state them.
fn schema_columns(table: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/clickhouse/schema");
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("the schema folder exists").map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let sql: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut columns = Vec::new();
    for statement in without_comments(&sql).split(';') {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let names_table = words.iter().take(8).any(|word| word.split('(').next() == Some(table));
        if names_table && statement.trim_start().starts_with("CREATE TABLE") {
            columns.extend(column_names(statement));
        } else if names_table && statement.trim_start().starts_with("ALTER TABLE") {
            columns.extend(added_columns(&words));
        }
    }
    columns
}

fn without_comments(sql: &str) -> String {
    sql.lines().map(|line| line.split("--").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// The first word of each definition between the outer parentheses.
fn column_names(create: &str) -> Vec<String> {
    let (mut depth, mut is_quoted, mut names, mut current) = (0, false, Vec::new(), String::new());
    for character in create.chars() {
        match character {
            '\'' => is_quoted = !is_quoted,
            _ if is_quoted => continue,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        let is_end = (depth == 1 && character == ',') || (depth == 0 && character == ')');
        if is_end {
            names.push(std::mem::take(&mut current));
        } else if depth >= 1 && !(depth == 1 && character == '(') {
            current.push(character);
        }
        if depth == 0 && character == ')' {
            break;
        }
    }
    let is_column = |name: &str| !["INDEX", "PROJECTION", "CONSTRAINT", "PRIMARY"].contains(&name);
    let first = |definition: &String| definition.split_whitespace().next().unwrap_or("").trim_matches('`').to_owned();
    names.iter().map(first).filter(|name| !name.is_empty() && is_column(name)).collect()
}

fn added_columns(words: &[&str]) -> Vec<String> {
    let added = words.windows(6).filter(|window| window[0] == "ADD" && window[1] == "COLUMN");
    added.map(|window| if window[2] == "IF" { window[5] } else { window[2] }.to_owned()).collect()
}

#[test]
fn rows_fill_every_column_of_the_events_table() {
    let mut schema = schema_columns("ecommerce.events");
    let mut row: Vec<_> = Table::Events.columns().iter().map(|name| (*name).to_owned()).collect();
    schema.sort();
    row.sort();
    assert_eq!(row, schema);
}

#[test]
fn other_inserts_only_name_columns_that_exist() {
    for table in [Table::Outcomes, Table::DeadLetters] {
        let schema = schema_columns(table.name());
        for column in table.columns() {
            assert!(schema.iter().any(|own| own == column), "{} has no column {column}: {schema:?}", table.name());
        }
    }
}
