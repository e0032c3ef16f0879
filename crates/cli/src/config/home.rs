//! Which configuration file, and which home.

use std::path::{Path, PathBuf};

use super::reading::{Finding, Place};

/// What was said about where the configuration is.
#[derive(Clone, Debug, Default)]
pub struct Location {
    /// `--config`, else `FOCUS_BILLING_CONFIG`.
    pub config: Option<Named>,
    /// `--home`
    pub home: Option<PathBuf>,
    pub working_directory: PathBuf,
}

/// A file that somebody named, and how.
#[derive(Clone, Debug)]
pub struct Named {
    pub path: PathBuf,
    /// `--config` or `FOCUS_BILLING_CONFIG`
    pub by: &'static str,
}

/// Where the configuration is and where relative paths start.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    pub file: Option<PathBuf>,
    /// The file as messages name it.
    pub shown: String,
    pub home: PathBuf,
    pub notes: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoConfigFile {
    #[error("{by}: there is no file `{}`", path.display())]
    Missing { path: PathBuf, by: &'static str },
    #[error("--home: there is no folder `{}`", .0.display())]
    NoHome(PathBuf),
}

const NAMES: [&str; 2] = ["config.yaml", "instance/config.yaml"];

impl Location {
    /// What the command line and the environment say.
    #[must_use]
    pub fn new(config: Option<&Path>, home: Option<&Path>) -> Location {
        let from_environment = || {
            let path = std::env::var_os("FOCUS_BILLING_CONFIG").filter(|path| !path.is_empty())?;
            Some(Named { path: path.into(), by: "FOCUS_BILLING_CONFIG" })
        };
        let from_option = config.map(|path| Named { path: path.to_owned(), by: "--config" });
        Location {
            config: from_option.or_else(from_environment),
            home: home.map(Path::to_owned),
            working_directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        }
    }

    /// A named file must exist; without one the home or the working directory is looked through, and
    /// finding nothing is fine. The home is `--home`, else the folder of the file (its parent when the
    /// file is in `instance/`), else the working directory.
    ///
    /// # Errors
    /// [`NoConfigFile`] when what was named is not there.
    pub fn find(&self) -> Result<ConfigFile, NoConfigFile> {
        let home = self.home.as_ref().map(|home| self.working_directory.join(home));
        if let Some(home) = home.as_ref().filter(|home| !home.is_dir()) {
            return Err(NoConfigFile::NoHome(self.shown(home)));
        }
        let base = home.clone().unwrap_or_else(|| self.working_directory.clone());
        let file = match &self.config {
            Some(named) => {
                let path = self.working_directory.join(&named.path);
                if !path.is_file() {
                    return Err(NoConfigFile::Missing { path: named.path.clone(), by: named.by });
                }
                Some(path)
            }
            None => NAMES.iter().map(|name| base.join(name)).find(|path| path.is_file()),
        };
        let shown = file.as_ref().map_or(PathBuf::from(NAMES[0]), |file| self.shown(file));
        let shown = shown.display().to_string();
        let home = home.or_else(|| file.as_deref().map(home_of)).unwrap_or_else(|| base.clone());
        let notes = self.second_file(&base, &shown);
        Ok(ConfigFile { file, shown, home, notes })
    }

    /// Two files are a trap: the one that is edited may not be the one that is read.
    fn second_file(&self, base: &Path, shown: &str) -> Vec<Finding> {
        if self.config.is_some() || !NAMES.iter().all(|name| base.join(name).is_file()) {
            return Vec::new();
        }
        let message = format!("read; `{}` beside it is not", NAMES[1]);
        let place = Place { file: shown.to_owned(), line: 1 };
        vec![Finding { place, key: String::new(), message, is_problem: false }]
    }

    fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.working_directory).unwrap_or(path).to_owned()
    }
}

fn home_of(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new("."));
    let is_instance = folder.file_name().is_some_and(|name| name == "instance");
    folder.parent().filter(|_| is_instance).unwrap_or(folder).to_owned()
}
