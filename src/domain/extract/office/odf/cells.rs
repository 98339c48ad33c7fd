//! The tables of ODF: the same element in a text, on a slide and as a sheet, with repeated rows and cells.

use super::super::super::markdown;
use super::super::super::xml::Element;
use super::Walk;

/// A cell or row that says it is there more often than this is padding to the end of the sheet.
const REPEAT_MAX: usize = 200;

impl<'a> Walk<'a> {
    pub(super) fn table(&mut self, table: Element<'a>) {
        if self.sheets {
            self.pages += 1;
            self.out.heading(2, &markdown::escape(table.attr("name").unwrap_or_default()));
        }
        let mut rows: Vec<Vec<String>> = Vec::new();
        for row in rows_of(table) {
            let cells = self.row(row);
            let empty = cells.iter().all(|cell| cell.is_empty());
            let times = row.attr("number-rows-repeated").and_then(|times| times.parse::<usize>().ok()).unwrap_or(1);
            if empty {
                self.out.table(&rows);
                rows.clear();
            } else {
                rows.extend(std::iter::repeat_n(cells, times.min(REPEAT_MAX)));
            }
            if self.out.full() {
                return;
            }
        }
        self.out.table(&rows);
    }

    fn row(&mut self, row: Element<'a>) -> Vec<String> {
        let mut cells: Vec<String> = Vec::new();
        for cell in row.children() {
            if !matches!(cell.name(), "table-cell" | "covered-table-cell") {
                continue;
            }
            let times = cell.attr("number-columns-repeated").and_then(|times| times.parse::<usize>().ok()).unwrap_or(1);
            let mut text = self.flat(cell);
            if text.is_empty() {
                text = ["date-value", "time-value", "string-value", "value", "boolean-value"]
                    .iter()
                    .find_map(|name| cell.attr(name))
                    .unwrap_or_default()
                    .to_owned();
            }
            cells.extend(std::iter::repeat_n(text, times.min(REPEAT_MAX)));
        }
        while cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        cells
    }
}

/// The rows, those in header groups and row groups too, but not those of a table inside a cell.
fn rows_of(table: Element<'_>) -> Vec<Element<'_>> {
    let mut out = Vec::new();
    for child in table.children() {
        match child.name() {
            "table-row" => out.push(child),
            "table-header-rows" | "table-rows" | "table-row-group" => out.extend(rows_of(child)),
            _ => {}
        }
    }
    out
}
