/// The columns of one file.
#[derive(Clone, Debug)]
pub struct Header {
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug)]
pub struct Column {
    /// As delivered.
    pub delivered: String,
    /// The FOCUS column it is, after aliases (`Region` → `RegionId`) and without regard to case.
    pub focus: Option<FocusColumn>,
    /// Snake-case name under which the charge keeps it: a FOCUS column (`service_name`), or a custom
    /// column that begins with `x_` or `oci_`. `None`: it stays in the delivered bytes only.
    pub kept_as: Option<String>,
}

/// Every Cost and Usage column of FOCUS 1.0-preview to 1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FocusColumn {
    BilledCost,
}
