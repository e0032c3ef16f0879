//! Invented statements, to look at a template and to measure. Deterministic: the same shape is the same
//! statement.

use billing::Period;
use billing::StatementNumber;
use billing::statement::{LineKind, PostedLine, PostingGroup, ResourceLine, RestLine, Statement, Totals};
use money::{Amount, Currency, Minor};

/// What kind of statement.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a kind of statement by itself, and they combine")]
pub struct Shape {
    /// Resource lines.
    pub lines: usize,
    /// Resources beyond those listed.
    pub rest: u64,
    /// Code and symbol.
    pub currency: (&'static str, &'static str),
    /// Names of 60 characters and long ids without a space.
    pub long_names: bool,
    /// The month ends in the PI's favor.
    pub credit: bool,
    /// Everything costs nothing.
    pub zero: bool,
    pub subsidy: bool,
    pub several_funds: bool,
    /// Makes another statement of the same shape.
    pub seed: usize,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            lines: 20,
            rest: 0,
            currency: ("USD", "$"),
            long_names: false,
            credit: false,
            zero: false,
            subsidy: false,
            several_funds: false,
            seed: 1,
        }
    }
}

const SERVICES: [(&str, &str); 5] = [
    ("Amazon Elastic Compute Cloud", "Hours"),
    ("Amazon Simple Storage Service", "GB-Months"),
    ("HPC Cluster Compute", "Core-Hours"),
    ("Research Storage", "TB-Months"),
    ("Azure OpenAI Service", "1K Tokens"),
];
const LONG_SERVICE: &str = "Amazon Elastic Kubernetes Service for Genomics, dedicated pool";

#[must_use]
pub fn statement(shape: &Shape) -> Statement {
    let resources = resources(shape);
    let mut lines = lines(shape, &resources);
    if shape.subsidy {
        for line in &mut lines {
            line.subsidy = Minor::new(line.due.get() * 2 / 5);
            line.due = line.due - line.subsidy;
        }
    }
    let totals = lines.iter().fold(Totals::default(), |sum, line| Totals {
        list: sum.list + line.list,
        discount: sum.discount + line.discount,
        subsidy: sum.subsidy + line.subsidy,
        due: sum.due + line.due,
    });
    let rest = (shape.rest > 0).then(|| rest(shape));
    let (code, symbol) = shape.currency;
    Statement {
        number: StatementNumber(format!("2025-01-{:05}", 42 + shape.seed)),
        version: if shape.credit { 2 } else { 1 },
        replaces: shape.credit.then(|| {
            "version 1 of February 3, 2025: a credit of Amazon Elastic Compute Cloud was added".to_owned()
        }),
        issued_on: jiff::civil::date(2025, 2, 5),
        period: Period::from_code(2025 * 12),
        pi_email: if shape.long_names {
            "maximiliane.hohenstein-featherstonehaugh@computational-biology.example.edu".to_owned()
        } else {
            "ada.lovelace@example.edu".to_owned()
        },
        project_id: if shape.long_names {
            "longitudinal-multimodal-imaging-of-alpine-plant-communities-2025".to_owned()
        } else {
            "genome-folding".to_owned()
        },
        fund_orgs: if shape.several_funds {
            vec!["10210-144820".to_owned(), "10210-200977".to_owned()]
        } else {
            vec!["10210-144820".to_owned()]
        },
        references: vec!["NSF 2451234".to_owned()],
        currency: Currency { code: code.parse().expect("an ISO 4217 code"), symbol: symbol.to_owned() },
        lines,
        rates: Vec::new(),
        totals,
        resources,
        rest,
        notes: vec![
            "The award NSF 2451234 ends on March 31, 2025.".to_owned(),
            "3 charges of $14.20 are held back for review and will follow on a later statement.".to_owned(),
        ],
    }
}

fn resources(shape: &Shape) -> Vec<ResourceLine> {
    (0..shape.lines).map(|at| resource(shape, at * SERVICES.len() / shape.lines.max(1), at)).collect()
}

fn resource(shape: &Shape, service: usize, at: usize) -> ResourceLine {
    let (service_name, unit) = SERVICES[service];
    let spread = i64::try_from((at * 7919 + shape.seed * 104_729) % 90_000).unwrap_or(0);
    let list = Minor::new(if shape.zero { 0 } else { 1_250 + spread * 3 });
    let discount = Minor::new(list.get() * i64::try_from(at % 4).unwrap_or(0) / 10);
    let credit = shape.credit && at == 0;
    let list = if credit { Minor::new(-2_250_000) } else { list };
    let discount = if credit { Minor::ZERO } else { discount };
    let (id, name) = if shape.long_names {
        (
            format!("arn:aws:ec2:us-east-1:123456789012:instance/i-0a1b2c3d4e5f6{at:04}"),
            format!("Imaging pipeline, alpine transect {at:02}, segmentation worker one"),
        )
    } else {
        (format!("i-0a1b2c3d{:08x}", at * 2_654_435), format!("worker-{at:03}"))
    };
    ResourceLine {
        service_name: Some(
            if shape.long_names && service == 0 { LONG_SERVICE } else { service_name }.to_owned(),
        ),
        resource_id: (!credit).then_some(id),
        resource_name: (!credit && (shape.long_names || at % 3 != 2)).then_some(name),
        kind: if credit { LineKind::Credit } else { LineKind::Usage },
        charges: 31,
        quantity: (!credit && at % 7 != 3)
            .then(|| Amount::from_units(i128::from(spread + 1) * 12_345_678_901_234_567)),
        unit: Some(unit.to_owned()),
        list,
        discount,
        due: list - discount,
    }
}

fn rest(shape: &Shape) -> RestLine {
    RestLine {
        resources: shape.rest,
        charges: shape.rest * 31,
        list: Minor::new(20_000),
        discount: Minor::ZERO,
        due: Minor::new(20_000),
    }
}

fn lines(shape: &Shape, resources: &[ResourceLine]) -> Vec<PostedLine> {
    let mut lines: Vec<PostedLine> = Vec::new();
    let mut add = |resource: &ResourceLine, fund: &str| {
        let same = |line: &&mut PostedLine| {
            line.group.service_name == resource.service_name
                && line.group.kind == resource.kind
                && line.group.fund_org.as_deref() == Some(fund)
        };
        if let Some(line) = lines.iter_mut().find(same) {
            line.list += resource.list;
            line.discount += resource.discount;
            line.due += resource.due;
            return;
        }
        let group = PostingGroup {
            fund_org: Some(fund.to_owned()),
            source: "AWS".to_owned(),
            service_name: resource.service_name.clone(),
            account_code: Some("54100".to_owned()),
            kind: resource.kind,
            charges: resource.charges,
            list_cost: Amount::ZERO,
            cost: Amount::ZERO,
        };
        lines.push(PostedLine {
            group,
            list: resource.list,
            discount: resource.discount,
            subsidy: Minor::ZERO,
            due: resource.due,
            legs: Vec::new(),
        });
    };
    for (at, resource) in resources.iter().enumerate() {
        add(resource, if shape.several_funds && at % 2 == 1 { "10210-200977" } else { "10210-144820" });
    }
    if shape.rest > 0 {
        let rest = rest(shape);
        let mut resource = resources[0].clone();
        (resource.list, resource.discount, resource.due) = (rest.list, rest.discount, rest.due);
        add(&resource, "10210-144820");
    }
    lines
}
