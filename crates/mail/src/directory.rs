use std::path::{Path, PathBuf};

use tokio::fs::{File, create_dir_all, rename};
use tokio::io::AsyncWriteExt;

use crate::{Message, Outbox, SendError, Sending, Sent};

/// Writes each message to a folder as `.eml` (a mail program opens it, with its attachments) and `.html`
/// (a browser shows it), for `dev_mode`.
#[derive(Clone, Debug)]
pub struct Directory {
    folder: PathBuf,
}

impl Directory {
    pub fn new(folder: impl Into<PathBuf>) -> Directory {
        Directory { folder: folder.into() }
    }

    async fn write(&self, message: &Message) -> Result<Sent, SendError> {
        let bytes = message.bytes()?;
        let name = file_name(message);
        let [eml, html] = ["eml", "html"].map(|end| self.folder.join(format!("{name}.{end}")));
        let failed = |path: &Path, error: std::io::Error| SendError::NotSent {
            stage: "writing its file",
            cause: format!("{}: {error}", path.display()),
        };
        create_dir_all(&self.folder).await.map_err(|error| failed(&self.folder, error))?;
        write_whole(&html, message.html.as_bytes()).await.map_err(|error| failed(&html, error))?;
        // The message itself comes last: where it is, all of it is.
        write_whole(&eml, &bytes).await.map_err(|error| failed(&eml, error))?;
        let synced = async { File::open(&self.folder).await?.sync_all().await };
        synced.await.map_err(|error| failed(&self.folder, error))?;
        Ok(Sent::Written { eml, html })
    }
}

impl Outbox for Directory {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(self.write(message))
    }
}

/// Write beside the place, then move: a reader sees all of the file or none.
async fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let mut file = File::create(&beside).await?;
    file.write_all(bytes).await?;
    file.sync_all().await?;
    drop(file);
    rename(&beside, path).await
}

/// The recipient and the beginning of the message id, to be read, and a sum of the whole id, to be unique:
/// the same message has the same name.
fn file_name(message: &Message) -> String {
    let safe = |text: &str, longest: usize| -> String {
        let safe: String = text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') { c } else { '-' })
            .take(longest)
            .collect();
        safe.trim_matches(['-', '.']).to_owned()
    };
    let id = message.message_id.trim_start_matches('<');
    let beginning = id.split(['.', '@']).next().unwrap_or(id);
    // Two ids that differ only in what is not safe, or not shown, must not share a file.
    let sum = message.message_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("to_{}_{}_{sum:016x}", safe(&message.to.email, 60), safe(beginning, 30))
}
