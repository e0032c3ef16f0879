//! The columns FOCUS names, and the values it allows in some of them.

/// What the text of a column stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An amount in the billing (or pricing) currency.
    Cost,
    /// A unit price or a quantity.
    Decimal,
    /// A date or date-time, see [`parse_time`](crate::parse_time).
    Time,
    /// A JSON object.
    Json,
    Text,
}

macro_rules! columns {
    ($($name:ident $snake:ident $kind:ident,)*) => {
        /// Every Cost and Usage column of FOCUS 1.0-preview to 1.4.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FocusColumn { $($name,)* }

        impl FocusColumn {
            /// In alphabetical order.
            pub const ALL: &'static [FocusColumn] = &[$(FocusColumn::$name,)*];

            /// As FOCUS spells it: `BilledCost`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(FocusColumn::$name => stringify!($name),)* }
            }

            /// As charges, reports and SQL spell it: `billed_cost`.
            #[must_use]
            pub const fn snake(self) -> &'static str {
                match self { $(FocusColumn::$name => stringify!($snake),)* }
            }

            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(FocusColumn::$name => Kind::$kind,)* }
            }
        }
    };
}

columns! {
    AllocatedMethodDetails allocated_method_details Json,
    AllocatedMethodId allocated_method_id Text,
    AllocatedResourceId allocated_resource_id Text,
    AllocatedResourceName allocated_resource_name Text,
    AllocatedTags allocated_tags Json,
    AvailabilityZone availability_zone Text,
    BilledCost billed_cost Cost,
    BillingAccountId billing_account_id Text,
    BillingAccountName billing_account_name Text,
    BillingAccountType billing_account_type Text,
    BillingCurrency billing_currency Text,
    BillingPeriodEnd billing_period_end Time,
    BillingPeriodStart billing_period_start Time,
    CapacityReservationId capacity_reservation_id Text,
    CapacityReservationStatus capacity_reservation_status Text,
    ChargeCategory charge_category Text,
    ChargeClass charge_class Text,
    ChargeDescription charge_description Text,
    ChargeFrequency charge_frequency Text,
    ChargePeriodEnd charge_period_end Time,
    ChargePeriodStart charge_period_start Time,
    ChargeSubcategory charge_subcategory Text,
    CommitmentDiscountCategory commitment_discount_category Text,
    CommitmentDiscountId commitment_discount_id Text,
    CommitmentDiscountName commitment_discount_name Text,
    CommitmentDiscountQuantity commitment_discount_quantity Decimal,
    CommitmentDiscountStatus commitment_discount_status Text,
    CommitmentDiscountType commitment_discount_type Text,
    CommitmentDiscountUnit commitment_discount_unit Text,
    CommitmentProgramEligibilityDetails commitment_program_eligibility_details Json,
    ConsumedQuantity consumed_quantity Decimal,
    ConsumedUnit consumed_unit Text,
    ContractApplied contract_applied Json,
    ContractedCost contracted_cost Cost,
    ContractedUnitPrice contracted_unit_price Decimal,
    EffectiveCost effective_cost Cost,
    HostProviderName host_provider_name Text,
    InvoiceDetailId invoice_detail_id Text,
    InvoiceId invoice_id Text,
    InvoiceIssuerName invoice_issuer_name Text,
    ListCost list_cost Cost,
    ListUnitPrice list_unit_price Decimal,
    PricingCategory pricing_category Text,
    PricingCurrency pricing_currency Text,
    PricingCurrencyContractedUnitPrice pricing_currency_contracted_unit_price Decimal,
    PricingCurrencyEffectiveCost pricing_currency_effective_cost Cost,
    PricingCurrencyListUnitPrice pricing_currency_list_unit_price Decimal,
    PricingQuantity pricing_quantity Decimal,
    PricingUnit pricing_unit Text,
    ProviderName provider_name Text,
    PublisherName publisher_name Text,
    RegionId region_id Text,
    RegionName region_name Text,
    ResourceId resource_id Text,
    ResourceName resource_name Text,
    ResourceType resource_type Text,
    ServiceCategory service_category Text,
    ServiceName service_name Text,
    ServiceProviderName service_provider_name Text,
    ServiceSubcategory service_subcategory Text,
    SkuId sku_id Text,
    SkuMeter sku_meter Text,
    SkuPriceDetails sku_price_details Json,
    SkuPriceId sku_price_id Text,
    SubAccountId sub_account_id Text,
    SubAccountName sub_account_name Text,
    SubAccountType sub_account_type Text,
    Tags tags Json,
}

impl FocusColumn {
    /// Columns without which nothing can be billed.
    pub const REQUIRED: [FocusColumn; 3] =
        [FocusColumn::BillingPeriodStart, FocusColumn::BilledCost, FocusColumn::Tags];

    /// The column of that name (`BilledCost`), without regard to case.
    #[must_use]
    pub fn named(name: &str) -> Option<FocusColumn> {
        FocusColumn::ALL.iter().copied().find(|column| column.name().eq_ignore_ascii_case(name))
    }

    /// The values FOCUS allows, in its spelling; empty where any text may stand.
    #[must_use]
    pub const fn allowed_values(self) -> &'static [&'static str] {
        match self {
            FocusColumn::ChargeCategory => &["Usage", "Purchase", "Tax", "Credit", "Adjustment"],
            FocusColumn::ChargeClass => &["Correction"],
            FocusColumn::ChargeFrequency => &["One-Time", "Recurring", "Usage-Based"],
            FocusColumn::CapacityReservationStatus | FocusColumn::CommitmentDiscountStatus => {
                &["Used", "Unused"]
            }
            FocusColumn::CommitmentDiscountCategory => &["Spend", "Usage"],
            FocusColumn::PricingCategory => &["Standard", "Dynamic", "Committed", "Other"],
            FocusColumn::ServiceCategory => &SERVICE_CATEGORIES,
            _ => &[],
        }
    }
}

/// FOCUS 1.4, `ServiceCategory`.
const SERVICE_CATEGORIES: [&str; 19] = [
    "AI and Machine Learning",
    "Analytics",
    "Business Applications",
    "Compute",
    "Databases",
    "Developer Tools",
    "Identity",
    "Integration",
    "Internet of Things",
    "Management and Governance",
    "Media",
    "Migration",
    "Mobile",
    "Multicloud",
    "Networking",
    "Other",
    "Security",
    "Storage",
    "Web",
];

/// The value of `column` that `text` means without regard to case, in the spelling of FOCUS. The caller
/// can say "wrong case" where the two differ. `None`: FOCUS does not name this value.
#[must_use]
pub fn canonical(column: FocusColumn, text: &str) -> Option<&'static str> {
    column.allowed_values().iter().copied().find(|value| value.eq_ignore_ascii_case(text.trim()))
}

/// [`canonical`] for `ChargeCategory`.
#[must_use]
pub fn canonical_category(text: &str) -> Option<&'static str> {
    canonical(FocusColumn::ChargeCategory, text)
}

/// [`canonical`] for `ChargeClass`.
#[must_use]
pub fn canonical_charge_class(text: &str) -> Option<&'static str> {
    canonical(FocusColumn::ChargeClass, text)
}

/// [`canonical`] for `ChargeFrequency`.
#[must_use]
pub fn canonical_charge_frequency(text: &str) -> Option<&'static str> {
    canonical(FocusColumn::ChargeFrequency, text)
}

/// [`canonical`] for `CommitmentDiscountStatus`.
#[must_use]
pub fn canonical_commitment_discount_status(text: &str) -> Option<&'static str> {
    canonical(FocusColumn::CommitmentDiscountStatus, text)
}

/// [`canonical`] for `PricingCategory`.
#[must_use]
pub fn canonical_pricing_category(text: &str) -> Option<&'static str> {
    canonical(FocusColumn::PricingCategory, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_snake_names_are_the_same_words() {
        for column in FocusColumn::ALL {
            assert_eq!(column.snake().replace('_', ""), column.name().to_lowercase());
            let words = column.name().chars().filter(char::is_ascii_uppercase).count();
            assert_eq!(column.snake().split('_').count(), words, "{column:?}");
            assert_eq!(FocusColumn::named(&column.name().to_uppercase()), Some(*column));
        }
        let columns_1_4 = 65;
        let removed = ["ProviderName", "PublisherName", "ChargeSubcategory"];
        assert_eq!(FocusColumn::ALL.len(), columns_1_4 + removed.len());
        assert!(removed.iter().all(|name| FocusColumn::named(name).is_some()));
        assert!(FocusColumn::ALL.is_sorted_by_key(|column| column.name()));
    }

    #[test]
    fn kinds_follow_the_column_reference() {
        let of = |kind| FocusColumn::ALL.iter().filter(|column| column.kind() == kind).count();
        assert_eq!((of(Kind::Cost), of(Kind::Decimal), of(Kind::Time), of(Kind::Json)), (5, 7, 4, 6));
    }

    #[test]
    fn values_are_matched_without_case() {
        for (column, text, meant) in [
            (FocusColumn::ChargeCategory, "usage", Some("Usage")),
            (FocusColumn::ChargeCategory, "Support", None),
            (FocusColumn::ChargeFrequency, "Usage-based", Some("Usage-Based")),
            (FocusColumn::CommitmentDiscountStatus, "UNUSED", Some("Unused")),
            (FocusColumn::ServiceCategory, "ai and machine learning", Some("AI and Machine Learning")),
            (FocusColumn::ChargeClass, " Correction ", Some("Correction")),
            (FocusColumn::ServiceName, "Usage", None),
        ] {
            assert_eq!(canonical(column, text), meant, "{column:?} {text}");
        }
        assert_eq!(canonical_category("CREDIT"), Some("Credit"));
    }
}
