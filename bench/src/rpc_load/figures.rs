//! The runs of all sides beside each other: medians with their spread, ratios, goals.

use super::Kind;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::Serialize;
use serde_json::{Value, json};

/// Which direction of a figure is good.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Rates.
    More,
    /// Times and memory.
    Less,
}

/// What Braid is meant to reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Goal {
    /// Nothing is set.
    None,
    /// So many times as good as anvil.
    Times(f64),
    /// No more than this, in the unit of the figure.
    AtMost(f64),
}

/// One figure of one run.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What was measured.
    pub name: String,
    /// Unit of the value.
    pub unit: &'static str,
    /// Value.
    pub value: f64,
    /// Which direction is good.
    pub better: Better,
    /// What Braid is meant to reach.
    pub goal: Goal,
}

impl Reading {
    /// A figure without a goal.
    pub fn new(name: impl Into<String>, unit: &'static str, better: Better, value: f64) -> Self {
        Self { name: name.into(), unit, value, better, goal: Goal::None }
    }

    /// The same with a goal.
    #[must_use]
    pub fn with_goal(self, goal: Goal) -> Self {
        Self { goal, ..self }
    }
}

/// One figure of all runs.
#[derive(Clone, Debug)]
struct Row {
    scenario: &'static str,
    reading: Reading,
    braid: Vec<f64>,
    anvil: Vec<f64>,
}

/// Median, least and most of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Summary {
    median: f64,
    least: f64,
    most: f64,
}

impl Summary {
    fn of(sample: &[f64]) -> Option<Self> {
        let mut sample = sample.to_vec();
        sample.sort_by(f64::total_cmp);
        let (least, most) = (*sample.first()?, *sample.last()?);
        let middle = sample.len() / 2;
        let median = if sample.len().is_multiple_of(2) {
            f64::midpoint(sample[middle - 1], sample[middle])
        } else {
            sample[middle]
        };
        Some(Self { median, least, most })
    }

    fn text(self) -> String {
        let Self { median, least, most } = self;
        if least == most {
            return round(median);
        }
        format!("{} ({}–{})", round(median), round(least), round(most))
    }
}

impl Row {
    /// How many times as good as anvil Braid is.
    fn ratio(&self) -> Option<f64> {
        let (braid, anvil) = (Summary::of(&self.braid)?.median, Summary::of(&self.anvil)?.median);
        let (above, below) = match self.reading.better {
            Better::More => (braid, anvil),
            Better::Less => (anvil, braid),
        };
        (below > 0.0).then(|| above / below)
    }

    /// Whether the goal is reached; nothing when it is not set or was not measured.
    fn reached(&self) -> Option<bool> {
        match self.reading.goal {
            Goal::None => None,
            Goal::Times(times) => Some(self.ratio()? >= times),
            Goal::AtMost(most) => Some(Summary::of(&self.braid)?.median <= most),
        }
    }

    fn goal(&self) -> String {
        match self.reading.goal {
            Goal::None => String::new(),
            Goal::Times(times) => format!("≥ {}× anvil", round(times)),
            Goal::AtMost(most) => format!("≤ {}", round(most)),
        }
    }
}

/// All figures of one run of the program, in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Figures {
    /// Adds what one run of a side yielded.
    pub fn add(&mut self, scenario: &'static str, kind: Kind, readings: Vec<Reading>) {
        for reading in readings {
            let found = self.rows.iter().position(|row| row.scenario == scenario && row.reading.name == reading.name);
            let index = found.unwrap_or_else(|| {
                let row = Row { scenario, reading: reading.clone(), braid: Vec::new(), anvil: Vec::new() };
                self.rows.push(row);
                self.rows.len() - 1
            });
            match kind {
                Kind::Braid => self.rows[index].braid.push(reading.value),
                Kind::Anvil => self.rows[index].anvil.push(reading.value),
            }
        }
    }

    /// Adds what must be known to understand the figures.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The figures as a table for people, and the notes below it.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN).set_header(["", "unit", "Braid", "anvil 1.7.1", "ratio", "goal", ""]);
        let mut scenario = "";
        for row in &self.rows {
            if row.scenario != scenario {
                scenario = row.scenario;
                table.add_row([scenario.to_uppercase()]);
            }
            let text = |sample: &[f64]| Summary::of(sample).map_or_else(|| "–".to_owned(), Summary::text);
            table.add_row([
                row.reading.name.clone(),
                row.reading.unit.to_owned(),
                text(&row.braid),
                text(&row.anvil),
                row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}×")),
                row.goal(),
                row.reached().map_or("", |reached| if reached { "reached" } else { "MISSED" }).to_owned(),
            ]);
        }
        for column in 2..=5 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = table.to_string();
        for note in &self.notes {
            text.push_str("\nnote: ");
            text.push_str(note);
        }
        text
    }

    /// The figures for programs.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "scenario": row.scenario,
                "name": row.reading.name,
                "unit": row.reading.unit,
                "better": row.reading.better,
                "goal": match row.reading.goal { Goal::None => Value::Null, goal => json!(goal) },
                "reached": row.reached(),
                "ratio": row.ratio(),
                "braid": Summary::of(&row.braid),
                "braidSamples": row.braid,
                "anvil": Summary::of(&row.anvil),
                "anvilSamples": row.anvil,
            })
        });
        json!({"rows": rows.collect::<Value>(), "notes": self.notes})
    }
}

/// Three digits that count, thousands apart.
fn round(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        _ if size == 0.0 || size >= 100.0 => 0,
        _ if size >= 10.0 => 1,
        _ if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && digit.is_ascii_digit() && (whole.len() - index).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded() {
        let cases = [(0.0, "0"), (0.12345, "0.123"), (7.0, "7"), (7.256, "7.26"), (45.67, "45.7"), (999.6, "1,000")];
        for (value, text) in cases {
            assert_eq!(round(value), text);
        }
        assert_eq!(round(1_234_567.0), "1,234,567");
        assert_eq!(round(-123.4), "-123");
        assert_eq!(round(100.0), "100");
    }

    #[test]
    fn medians_and_spreads() {
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[3.0, 1.0, 2.0]), Some(Summary { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(Summary::of(&[4.0, 1.0]).unwrap().median, 2.5);
    }

    fn figures(better: Better, goal: Goal, braid: f64, anvil: Option<f64>) -> Value {
        let mut figures = Figures::default();
        let reading = |value| vec![Reading::new("x", "u", better, value).with_goal(goal)];
        figures.add("s", Kind::Braid, reading(braid));
        if let Some(anvil) = anvil {
            figures.add("s", Kind::Anvil, reading(anvil));
        }
        figures.json()["rows"][0].clone()
    }

    #[test]
    fn ratios_are_in_the_good_direction() {
        assert_eq!(figures(Better::More, Goal::Times(8.0), 90.0, Some(10.0))["ratio"], 9.0);
        assert_eq!(figures(Better::Less, Goal::Times(1.0), 90.0, Some(45.0))["ratio"], 0.5);
        assert_eq!(figures(Better::More, Goal::None, 90.0, Some(0.0))["ratio"], Value::Null);
    }

    #[test]
    fn goals() {
        assert_eq!(figures(Better::More, Goal::Times(8.0), 90.0, Some(10.0))["reached"], true);
        assert_eq!(figures(Better::Less, Goal::Times(1.0), 90.0, Some(45.0))["reached"], false);
        assert_eq!(figures(Better::Less, Goal::AtMost(60.0), 60.0, None)["reached"], true);
        assert_eq!(figures(Better::More, Goal::Times(8.0), 90.0, None)["reached"], Value::Null);
    }

    #[test]
    fn the_table_has_a_line_for_each_figure() {
        let mut figures = Figures::default();
        figures.add(
            "s",
            Kind::Braid,
            vec![Reading::new("mined", "tx/s", Better::More, 17_000.0).with_goal(Goal::Times(8.0))],
        );
        figures.add("s", Kind::Anvil, vec![Reading::new("mined", "tx/s", Better::More, 2_000.0)]);
        let table = figures.table();
        assert!(table.contains("17,000") && table.contains("8.50×") && table.contains("reached"), "{table}");
    }
}
