//! Sample statements to look at, and how fast they are made.
//!
//! `statements look DIR [TEMPLATE]` writes PDFs of every kind; `statements time COUNT LINES [THREADS [TEMPLATE]]` measures.

use std::path::Path;
use std::time::Instant;

use documents::statement::sample::{Shape, statement};
use documents::{Institution, Logo, LogoKind, Paper, StatementRenderer, Template};

const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 60"><path d="M30 2 56 12v20c0 14-11 22-26 26C15 54 4 46 4 32V12z" fill="#14213d"/><path d="M16 34h28v4H16zm0-8h28v4H16zm14-14 16 10H14z" fill="#fff"/></svg>"##;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["look", folder] => look(Path::new(folder), None),
        ["look", folder, template] => look(Path::new(folder), Some(template)),
        ["time", count, lines] => time(number(count), number(lines), 1, None),
        ["time", count, lines, threads] => time(number(count), number(lines), number(threads), None),
        ["time", count, lines, threads, template] => {
            time(number(count), number(lines), number(threads), Some(template));
        }
        _ => eprintln!("statements look DIR [TEMPLATE] | statements time COUNT LINES [THREADS [TEMPLATE]]"),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn renderer(paper: Paper, template: Option<&str>) -> StatementRenderer {
    let template = template.map(|path| Template {
        name: path.to_owned(),
        text: std::fs::read_to_string(path).expect("the template"),
    });
    let institution = Institution {
        name: "Example University Research Computing".to_owned(),
        logo: Some(Logo { bytes: LOGO.as_bytes().to_vec(), kind: LogoKind::Svg }),
        contact_email: "rc-billing@example.edu".to_owned(),
        paper,
    };
    StatementRenderer::new(template, institution, &[]).expect("the built-in template")
}

fn look(folder: &Path, template: Option<&str>) {
    let shapes = [
        ("3", Shape { lines: 3, ..Shape::default() }),
        ("20", Shape { lines: 20, ..Shape::default() }),
        ("24", Shape { lines: 24, ..Shape::default() }),
        ("20-long", Shape { lines: 20, long_names: true, ..Shape::default() }),
        ("200", Shape { lines: 200, rest: 312, ..Shape::default() }),
        ("credit", Shape { lines: 5, credit: true, ..Shape::default() }),
        ("zero", Shape { lines: 4, zero: true, ..Shape::default() }),
        ("euro", Shape { lines: 12, currency: ("EUR", "€"), subsidy: true, ..Shape::default() }),
        ("yen", Shape { lines: 8, currency: ("JPY", "¥"), several_funds: true, ..Shape::default() }),
    ];
    std::fs::create_dir_all(folder).expect("the folder");
    for (name, shape) in shapes {
        let paper = if name == "euro" { Paper::A4 } else { Paper::UsLetter };
        let pdf = renderer(paper, template)
            .render(&statement(&shape))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        std::fs::write(folder.join(format!("{name}.pdf")), pdf).expect("a file");
    }
}

fn time(count: usize, lines: usize, threads: usize, template: Option<&str>) {
    let renderer = renderer(Paper::UsLetter, template);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let renderer = &renderer;
            scope.spawn(move || {
                for at in (thread..count).step_by(threads) {
                    let shape = Shape { lines, seed: at, rest: 0, ..Shape::default() };
                    renderer.render(&statement(&shape)).expect("a statement");
                }
            });
        }
    });
    let millis = start.elapsed().as_millis();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("").to_owned();
    println!("{count} statements of {lines} lines, {threads} threads: {millis} ms; {peak}");
}
