//! A table whose cells are words, for the many lists that rules have.

use askama::Template;

#[derive(Template)]
#[template(path = "rules/table.html")]
pub struct Table {
    /// For those who hear the page.
    pub name: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
    /// What stands in place of a table without rows.
    pub empty: &'static str,
}

#[derive(Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub number: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub text: String,
    /// In smaller letters below it.
    pub sub: String,
    pub to: Option<String>,
    /// A pill of this tone.
    pub tone: Option<&'static str>,
}

impl Cell {
    pub fn link(text: impl Into<String>, to: impl Into<String>) -> Cell {
        Cell { text: text.into(), to: Some(to.into()), ..Cell::default() }
    }

    pub fn pill(tone: &'static str, text: impl Into<String>) -> Cell {
        Cell { text: text.into(), tone: Some(tone), ..Cell::default() }
    }

    #[must_use]
    pub fn sub(mut self, text: impl Into<String>) -> Cell {
        self.sub = text.into();
        self
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, ..Cell::default() }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        text.to_owned().into()
    }
}

impl Table {
    /// `columns`: names; those that begin with `#` are of numbers.
    pub fn new(name: impl Into<String>, columns: &[&'static str], empty: &'static str) -> Table {
        let column = |name: &&'static str| match name.strip_prefix('#') {
            Some(name) => Column { name, number: true },
            None => Column { name, number: false },
        };
        Table { name: name.into(), columns: columns.iter().map(column).collect(), rows: Vec::new(), empty }
    }

    /// Codes and dates stay in one piece, sentences have room.
    fn class(cell: &Cell, number: bool) -> &'static str {
        match cell.text.len() {
            _ if number => "number",
            ..=24 if !cell.text.contains(' ') => "nowrap",
            40.. => "wide",
            _ => "",
        }
    }

    /// With its place and its class.
    fn cells<'a>(&'a self, row: &'a [Cell]) -> Vec<(usize, &'a Cell, &'static str)> {
        let cells = row.iter().zip(&self.columns).enumerate();
        cells.map(|(at, (cell, column))| (at, cell, Table::class(cell, column.number))).collect()
    }
}
