//! The sample data, compiled in, so that the demo runs from the binary alone. What each file shows is
//! said in `sample_data/README.md`.

/// A bundled file: its name and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct SampleFile {
    pub name: &'static str,
    pub bytes: &'static [u8],
}

macro_rules! sample {
    ($name:literal) => {
        SampleFile { name: $name, bytes: include_bytes!(concat!("../../../sample_data/", $name)) }
    };
}

/// The deliveries: four sources, two months.
pub const FILES: [SampleFile; 8] = [
    sample!("aws_2025-01.csv"),
    sample!("azure_2025-01.csv"),
    sample!("hpc_2025-01.csv"),
    sample!("storage_2025-01.csv"),
    sample!("aws_2025-12.csv"),
    sample!("azure_2025-12.csv"),
    sample!("hpc_2025-12.csv"),
    sample!("storage_2025-12.csv"),
];

/// The demo's configuration.
pub const CONFIG: SampleFile = sample!("config.yaml");

#[cfg(test)]
mod tests;
