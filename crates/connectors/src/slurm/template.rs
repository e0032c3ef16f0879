//! Texts with fields of a run in them: `{partition}`, `{account}@example.edu`.

/// What a run belongs to. Rows are by what is asked for here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Cluster,
    Account,
    Partition,
    User,
    Qos,
    Wckey,
    Reservation,
}

impl Part {
    pub(super) const ALL: [Part; 7] = [
        Part::Cluster,
        Part::Account,
        Part::Partition,
        Part::User,
        Part::Qos,
        Part::Wckey,
        Part::Reservation,
    ];

    const fn name(self) -> &'static str {
        match self {
            Part::Cluster => "cluster",
            Part::Account => "account",
            Part::Partition => "partition",
            Part::User => "user",
            Part::Qos => "qos",
            Part::Wckey => "wckey",
            Part::Reservation => "reservation",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Part(Part),
    /// `cpu`, `gpu:a100`: what a row counts.
    Resource,
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) =
                after.split_once('}').ok_or_else(|| "has a `{` without its `}`".to_owned())?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let part = Part::ALL.into_iter().find(|part| part.name() == name).map(Piece::Part);
            pieces.push(match part {
                Some(part) => part,
                None if name == "resource" => Piece::Resource,
                None => {
                    let names: Vec<&str> =
                        Part::ALL.iter().map(|part| part.name()).chain(["resource"]).collect();
                    return Err(format!("names `{{{name}}}`; there are {}", crate::options::listed(&names)));
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Template(pieces))
    }

    pub(super) fn part(part: Part) -> Template {
        Template(vec![Piece::Part(part)])
    }

    pub(super) fn resource() -> Template {
        Template(vec![Piece::Resource])
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Part(part) => Some(*part),
            _ => None,
        })
    }

    /// With the values of a run; `None` where each of the fields it names is empty.
    pub(super) fn fill(&self, of: impl Fn(Part) -> String, resource: &str) -> Option<String> {
        let mut filled = String::new();
        let (mut named, mut present) = (false, false);
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Part(part) => {
                    let value = of(*part);
                    named = true;
                    present |= !value.is_empty();
                    filled.push_str(&value);
                }
                Piece::Resource => {
                    named = true;
                    present = true;
                    filled.push_str(resource);
                }
            }
        }
        (present || !named).then_some(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_in_texts() {
        for (text, expected) in [
            ("{partition}", Ok(Some("gpu"))),
            ("{partition}/{resource}", Ok(Some("gpu/cpu"))),
            ("{account}@example.edu", Ok(Some("physics@example.edu"))),
            ("{qos}", Ok(None)),
            ("x{qos}-{wckey}", Ok(None)),
            ("fixed", Ok(Some("fixed"))),
            ("{nodes}", Err(())),
            ("{partition", Err(())),
        ] {
            let of = |part| match part {
                Part::Partition => "gpu".to_owned(),
                Part::Account => "physics".to_owned(),
                _ => String::new(),
            };
            let filled = Template::parse(text).map(|template| template.fill(of, "cpu")).map_err(|_| ());
            assert_eq!(
                filled.as_ref().map(Option::as_deref),
                expected.as_ref().map(|filled| *filled),
                "{text}"
            );
        }
    }
}
