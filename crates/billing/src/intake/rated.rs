//! The rate book laid over a block of usage: quantity, in the rate's unit, times price.

use std::borrow::Cow;
use std::collections::HashMap;

use money::Amount;

use crate::Period;
use crate::attribution::Attribution;
use crate::charge::{AmountColumn, TextColumn};
use crate::intake::costs::{BILLED, CONTRACTED, EFFECTIVE, LIST};
use crate::intake::tags::Tagged;
use crate::intake::text::{self, Dictionary};
use crate::intake::times::{Times, month_of};
use crate::rate::{Rate, RateBook, Usage};
use crate::unit::Unit;

const NULL: i128 = AmountColumn::NULL;
const NULL_KEY: u32 = TextColumn::NULL_KEY;

/// The column that says which rate priced a charge.
pub const RATED_BY: &str = "rated_by";

/// The column that says why a row's usage is not billed, where its list price is shown all the same.
pub const WAIVED: &str = "x_waived";

/// Quantity and unit as delivered: what was consumed, else what the provider prices.
const QUANTITIES: [(&str, &str); 2] =
    [("consumed_quantity", "consumed_unit"), ("pricing_quantity", "pricing_unit")];

/// The charges of a block under the rate book.
pub(super) struct Rated<'a> {
    book: &'a RateBook,
    rows: Vec<Row>,
    /// Why rows have no price, each once.
    reasons: Vec<Box<str>>,
}

#[derive(Clone, Copy)]
enum Row {
    /// Which rate, and the quantity in its unit.
    By(usize, Amount),
    /// The same, but whoever delivers waives it: shown at its list price, billed to nobody, counted by no tier.
    Waived(usize, Amount),
    /// No price, for which reason.
    Not(u32),
}

impl Row {
    fn billed(&self) -> Option<(usize, Amount)> {
        match *self {
            Row::By(rate, quantity) => Some((rate, quantity)),
            Row::Waived(..) | Row::Not(_) => None,
        }
    }

    fn priced(&self) -> Option<(usize, Amount)> {
        match *self {
            Row::By(rate, quantity) | Row::Waived(rate, quantity) => Some((rate, quantity)),
            Row::Not(_) => None,
        }
    }
}

/// A block's columns, by name.
type Texts = [(String, TextColumn)];
type Numbers = [(String, AmountColumn)];

impl<'a> Rated<'a> {
    /// Prices every row: `costs` are overwritten, with nothing where no rate fits.
    pub fn of(
        book: &'a RateBook,
        tagged: &Tagged<'_>,
        times: &Times,
        (texts, numbers): (&Texts, &Numbers),
        costs: &mut [Vec<i128>; 4],
    ) -> Rated<'a> {
        let mut pricing = Pricing::new(book, texts, numbers);
        let mut rated = Rated { book, rows: Vec::with_capacity(times.periods.len()), reasons: Vec::new() };
        let class = Attribution::FIELDS.iter().position(|field| *field == "customer_class");
        for (row, &month) in times.periods.iter().enumerate() {
            let class = class.and_then(|field| tagged.meaning(tagged.codes[row]).field(field));
            let charged = (times.columns[2][row], times.columns[3][row]);
            let priced = pricing.price(row, class, month, charged);
            let (list, cost) = match &priced {
                Ok(priced) => (priced.list.units(), priced.cost.units()),
                Err(_) => (NULL, 0),
            };
            costs[LIST][row] = list;
            for which in [CONTRACTED, BILLED, EFFECTIVE] {
                costs[which][row] = cost;
            }
            let row = match priced {
                Ok(priced) if priced.is_waived => Row::Waived(priced.rate, priced.quantity),
                Ok(priced) => Row::By(priced.rate, priced.quantity),
                Err(reason) => Row::Not(rated.reason(&reason)),
            };
            rated.rows.push(row);
        }
        rated
    }

    fn reason(&mut self, reason: &str) -> u32 {
        let at = self.reasons.iter().position(|known| **known == *reason);
        text::key(at.unwrap_or_else(|| {
            self.reasons.push(reason.into());
            self.reasons.len() - 1
        }))
    }

    /// Why a row has no price, as a key of [`words`](Rated::words).
    pub fn unpriced(&self, row: usize) -> Option<u32> {
        match self.rows[row] {
            Row::Not(reason) => Some(reason),
            Row::By(..) | Row::Waived(..) => None,
        }
    }

    pub fn words(&self, reason: u32) -> &str {
        &self.reasons[reason as usize]
    }

    pub fn priced(&self) -> u64 {
        self.rows.iter().filter(|row| row.priced().is_some()).count() as u64
    }

    /// Fill the columns that a rated charge has: which rate, its SKU where the file says none, quantity and
    /// unit as priced, unit prices, and the account of charges whose tags name none.
    pub fn fill(&self, texts: &mut Vec<(String, TextColumn)>, numbers: &mut Vec<(String, AmountColumn)>) {
        let by: Vec<String> = self.rates(|rate| rate.id.to_string());
        let codes = self.rates(|rate| rate.code.clone());
        let units = self.rates(|rate| rate.unit.to_string());
        let accounts = self.rates(|rate| rate.account_code.clone().unwrap_or_default());
        let (billed, priced) = (Row::billed, Row::priced);
        self.text(texts, RATED_BY, &by, billed, false);
        self.text(texts, "sku_id", &codes, priced, false);
        self.text(texts, "pricing_unit", &units, priced, true);
        if accounts.iter().any(|account| !account.is_empty()) {
            self.text(texts, "account_code", &accounts, priced, false);
        }
        self.number(numbers, "pricing_quantity", priced, |_, quantity| quantity);
        self.number(numbers, "list_unit_price", priced, |rate, _| rate.list_price());
        self.number(numbers, "contracted_unit_price", billed, |rate, _| rate.price);
    }

    /// A text for each rate of the book.
    fn rates(&self, text: impl Fn(&Rate) -> String) -> Vec<String> {
        (0..self.book.len()).map(|at| text(self.book.get(at))).collect()
    }

    /// Where the file has a value, it stays, unless what was priced is something else.
    fn text(
        &self,
        texts: &mut Vec<(String, TextColumn)>,
        name: &str,
        by_rate: &[String],
        of: fn(&Row) -> Option<(usize, Amount)>,
        replaces: bool,
    ) {
        let known = texts.iter().position(|(known, _)| known == name);
        let delivered = known.map(|at| Keyed::of(&texts[at].1));
        let column = {
            let mut dictionary = Dictionary::default();
            let own: Vec<u32> = by_rate
                .iter()
                .map(|text| dictionary.key(Some(text.as_str()).filter(|text| !text.is_empty())))
                .collect();
            let kept: Vec<u32> = delivered
                .iter()
                .flat_map(|delivered| &delivered.texts)
                .map(|text| dictionary.key(Some(*text)))
                .collect();
            let keys = self.rows.iter().enumerate().map(|(row, priced)| {
                let own = of(priced).map_or(NULL_KEY, |(rate, _)| own[rate]);
                let key = delivered.as_ref().map_or(NULL_KEY, |delivered| delivered.keys[row]);
                let kept = kept.get(key as usize).copied().unwrap_or(NULL_KEY);
                let (first, second) = if replaces { (own, kept) } else { (kept, own) };
                if first == NULL_KEY { second } else { first }
            });
            let keys = keys.collect();
            TextColumn::Coded { keys, values: dictionary.into_values() }
        };
        match known {
            Some(at) => texts[at].1 = column,
            None => texts.push((name.to_owned(), column)),
        }
    }

    fn number(
        &self,
        numbers: &mut Vec<(String, AmountColumn)>,
        name: &str,
        of: fn(&Row) -> Option<(usize, Amount)>,
        value: impl Fn(&Rate, Amount) -> Amount,
    ) {
        let known = numbers.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            numbers.push((name.to_owned(), AmountColumn(vec![NULL; self.rows.len()])));
            numbers.len() - 1
        });
        for (row, cell) in self.rows.iter().zip(&mut numbers[known].1.0) {
            if let Some((rate, quantity)) = of(row) {
                *cell = value(self.book.get(rate), quantity).units();
            }
        }
    }
}

/// What a row costs.
struct Priced {
    rate: usize,
    is_waived: bool,
    quantity: Amount,
    list: Amount,
    cost: Amount,
}

/// Texts of a column by number, so that rows are compared by numbers alone.
struct Keyed<'a> {
    keys: Cow<'a, [u32]>,
    texts: Vec<&'a str>,
}

impl<'a> Keyed<'a> {
    fn of(column: &'a TextColumn) -> Keyed<'a> {
        match column {
            TextColumn::Coded { keys, values } => {
                Keyed { keys: keys.into(), texts: values.iter().map(AsRef::as_ref).collect() }
            }
            TextColumn::Plain { ends, .. } => {
                let mut known: HashMap<&str, u32, foldhash::fast::RandomState> = HashMap::default();
                let mut texts = Vec::new();
                let keys = (0..ends.len()).map(|row| match column.get(row) {
                    None => NULL_KEY,
                    Some(text) => *known.entry(text).or_insert_with(|| {
                        texts.push(text);
                        text::key(texts.len() - 1)
                    }),
                });
                let keys = keys.collect::<Vec<u32>>().into();
                Keyed { keys, texts }
            }
        }
    }

    fn text(&self, key: u32) -> Option<&'a str> {
        self.texts.get(key as usize).copied()
    }
}

/// A quantity and the column of its unit.
struct Quantity<'a> {
    amounts: &'a AmountColumn,
    units: Keyed<'a>,
    /// What the units mean; by key.
    read: Vec<Option<Unit>>,
}

/// Which quantity, its unit, which rate, and over what time.
type Conversion = (usize, u32, usize, Period, (i64, i64));

/// The book with what was found out about the block so far.
struct Pricing<'a> {
    book: &'a RateBook,
    services: Option<Keyed<'a>>,
    skus: Option<Keyed<'a>>,
    waived: Option<&'a TextColumn>,
    quantities: Vec<Quantity<'a>>,
    /// By the keys of service and SKU, for charges without a class, of which there are most.
    fitting: HashMap<(u32, u32), Box<[usize]>, foldhash::fast::RandomState>,
    conversions: HashMap<Conversion, Option<(u128, u128)>, foldhash::fast::RandomState>,
}

impl<'a> Pricing<'a> {
    fn new(book: &'a RateBook, texts: &'a Texts, numbers: &'a Numbers) -> Pricing<'a> {
        let text = |name: &str| texts.iter().find(|(known, _)| known == name).map(|(_, column)| column);
        let number = |name: &str| numbers.iter().find(|(known, _)| known == name).map(|(_, column)| column);
        let quantity = |(quantity, unit): &(&str, &str)| {
            let (amounts, units) = (number(quantity)?, Keyed::of(text(unit)?));
            let read = units.texts.iter().map(|unit| unit.parse().ok()).collect();
            Some(Quantity { amounts, units, read })
        };
        Pricing {
            book,
            services: text("service_name").map(Keyed::of),
            skus: text("sku_id").map(Keyed::of),
            waived: text(WAIVED),
            quantities: QUANTITIES.iter().filter_map(quantity).collect(),
            fitting: HashMap::default(),
            conversions: HashMap::default(),
        }
    }

    fn price(
        &mut self,
        row: usize,
        class: Option<&str>,
        month: Period,
        charged: (i64, i64),
    ) -> Result<Priced, String> {
        let delivered = self.quantities.iter().enumerate().find_map(|(at, quantity)| {
            let (amount, unit) = (quantity.amounts.0[row], quantity.units.keys[row]);
            (amount != NULL && unit != NULL_KEY).then_some((at, amount, unit))
        });
        let Some((at, quantity, unit)) = delivered else {
            return Err("no quantity with a unit was delivered".to_owned());
        };
        let key = |column: &Option<Keyed<'_>>| column.as_ref().map_or(NULL_KEY, |column| column.keys[row]);
        let keys = (key(&self.services), key(&self.skus));
        let quantity = Amount::from_units(quantity);
        let Some((rate, (numerator, denominator))) = self.find(keys, class, (at, unit), month, charged)
        else {
            return Err(self.no_rate(keys, class, self.quantities[at].units.text(unit), charged.0));
        };
        let by = self.book.get(rate);
        let of = |price| below_limit(cost(quantity, price, (numerator, denominator)));
        let is_waived = self.waived.is_some_and(|reasons| reasons.get(row).is_some());
        let priced = || {
            let cost = of(by.price)?;
            let list = if by.list_price() == by.price { cost } else { of(by.list_price())? };
            let quantity = below_limit(quantity.scaled(numerator, denominator))?;
            let cost = if is_waived { Amount::ZERO } else { cost };
            Some(Priced { rate, is_waived, quantity, list, cost })
        };
        priced().ok_or_else(|| {
            let unit = self.quantities[at].units.text(unit).unwrap_or_default();
            format!("{quantity} {unit} come to 10^12 or more, larger than any charge can be")
        })
    }

    /// The first rate that fits, is in force, and whose unit the delivered one can be converted to.
    fn find(
        &mut self,
        keys: (u32, u32),
        class: Option<&str>,
        (at, unit): (usize, u32),
        month: Period,
        charged: (i64, i64),
    ) -> Option<(usize, (u128, u128))> {
        let book = self.book;
        let text = |column: &Option<Keyed<'a>>, key| column.as_ref().and_then(|column| column.text(key));
        let usage = || Usage { service: text(&self.services, keys.0), sku: text(&self.skus, keys.1), class };
        let of_class = class.map(|_| book.fitting(usage()));
        let fitting: &[usize] = match &of_class {
            Some(fitting) => fitting,
            None => self.fitting.entry(keys).or_insert_with(|| book.fitting(usage()).into()),
        };
        let read = self.quantities[at].read.get(unit as usize)?.as_ref()?;
        fitting.iter().filter(|&&rate| book.is_in_force(rate, charged.0)).find_map(|&rate| {
            // The charge period matters where it is prorated alone.
            let charged = if book.get(rate).prorate.is_some() { charged } else { (0, 0) };
            let conversion = self.conversions.entry((at, unit, rate, month, charged));
            Some((rate, (*conversion.or_insert_with(|| book.conversion(rate, read, month, charged)))?))
        })
    }

    fn no_rate(&self, keys: (u32, u32), class: Option<&str>, unit: Option<&str>, start: i64) -> String {
        let text = |column: &Option<Keyed<'a>>, key| column.as_ref().and_then(|column| column.text(key));
        let named = |what: &str, value: Option<&str>| {
            value.map_or_else(|| format!("no {what}"), |value| format!("{what} `{value}`"))
        };
        let when = month_of(start).map_or_else(String::new, |month| format!(" in {month}"));
        let class = class.map_or_else(String::new, |class| format!(", class `{class}`"));
        format!(
            "the rate book has no rate{when} for {}, {}, {}{class}",
            named("service", text(&self.services, keys.0)),
            named("SKU", text(&self.skus, keys.1)),
            named("unit", unit)
        )
    }
}

/// Where a conversion does not come out even (a day of a month), it comes last: half a terabyte for ten days
/// of 31 at 31.00 is 5.00, to the last digit.
fn cost(quantity: Amount, price: Amount, (numerator, denominator): (u128, u128)) -> Option<Amount> {
    if numerator < denominator {
        quantity.times(price)?.scaled(numerator, denominator)
    } else {
        quantity.scaled(numerator, denominator)?.times(price)
    }
}

fn below_limit(amount: Option<Amount>) -> Option<Amount> {
    amount.filter(|amount| amount.abs() < Amount::LIMIT)
}
