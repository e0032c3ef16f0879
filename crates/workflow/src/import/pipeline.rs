//! From a file to charges, on every core: one thread cuts the file into blocks of whole records, workers
//! take blocks apart, make charges of them and compress both charges and evidence, and what they made is
//! handed over in the order of the file. Nothing counts yet: that is `commit.rs`.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};

use billing::intake::{Desk, FileContext, Intake, Taken};
use focus::{Block, Header, ReadError, RowProblem, Source};
use lake::{ChargeEncoder, EncodedCharges, Frame, LakeError};

use super::quarantine::rows_at;

/// What workers need for one file.
pub struct FileWork<'a> {
    pub intake: &'a Intake,
    pub file: &'a FileContext,
    pub header: &'a Header,
    pub encoder: &'a ChargeEncoder,
    /// The number of the file's first charge.
    pub first_row: i64,
    /// Whether the blocks' bytes are the delivered bytes themselves (CSV that is not compressed).
    pub keep_bytes: bool,
}

/// A block that went through a worker.
pub struct Done {
    pub taken: Taken,
    pub charges: EncodedCharges,
    pub evidence: Option<Frame>,
    pub problems: Vec<RowProblem>,
    /// The rows that the problems are about, as delivered, by line.
    pub bad_rows: Vec<(u64, String)>,
    /// Bytes of the (decompressed) file that the block stood for.
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error("a worker stopped in the middle of its work")]
    WorkerStopped,
}

/// Run a file's remaining blocks through the workers; `each` gets what they made, in the order of the file.
///
/// # Errors
/// What reading, encoding or `each` refused; then the rest of the file is not read.
pub fn run<E: From<PipelineError>>(
    source: &mut Source,
    first: Option<Block>,
    work: &FileWork<'_>,
    see_bytes: &mut dyn FnMut(&[u8]),
    mut each: impl FnMut(Done) -> Result<(), E>,
) -> Result<(), E> {
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let numbering = Numbering::new(work.first_row);
    let (to_workers, blocks) = sync_channel::<(u64, Block)>(1);
    let blocks = Mutex::new(blocks);
    let (to_us, done) = channel();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (blocks, numbering, to_us) = (&blocks, &numbering, to_us.clone());
            scope.spawn(move || work_through(blocks, numbering, work, &to_us));
        }
        drop(to_us);
        let mut order = InOrder::new(&done);
        let mut sent = 0;
        let mut next = first;
        loop {
            let block = match next.take() {
                Some(block) => Some(block),
                None => source.next_block().map_err(PipelineError::from)?,
            };
            let Some(block) = block else { break };
            see_bytes(&block.bytes);
            if to_workers.send((sent, block)).is_err() {
                return Err(PipelineError::WorkerStopped.into());
            }
            sent += 1;
            // Never let more blocks wait than workers can hold: memory must not grow with the file.
            while sent - order.handed_over >= workers as u64 + 2 {
                each(order.wait_for_next()?)?;
            }
        }
        drop(to_workers);
        while order.handed_over < sent {
            each(order.wait_for_next()?)?;
        }
        Ok(())
    })
}

fn work_through(
    blocks: &Mutex<Receiver<(u64, Block)>>,
    numbering: &Numbering,
    work: &FileWork<'_>,
    done: &Sender<(u64, Result<Done, LakeError>)>,
) {
    let mut desk = Desk::new(work.intake);
    loop {
        let received = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((at, block)) = received else { return };
        let turn = numbering.turn(at);
        let evidence = work.keep_bytes.then(|| lake::compress_frame(&block.bytes, Some(block.first_line)));
        let bytes = block.bytes.len() as u64;
        let first_line = block.first_line;
        let (cells, mut problems) = block.cells(work.header);
        let mut taken = desk.charges(work.intake, work.file, &cells);
        let lines = problems.iter().chain(&taken.problems).map(|problem| problem.line).collect();
        let length = usize::try_from(bytes).unwrap_or(usize::MAX).min(cells.text.len());
        let bad_rows = rows_at(&cells.text[..length], first_line, &lines);
        drop(cells);
        taken.number_from(turn.take(taken.columns.rows));
        problems.append(&mut taken.problems);
        problems.sort_by_key(|problem| problem.line);
        let result = work.encoder.encode(&taken.columns).map(|charges| {
            taken.columns = billing::ChargeColumns::default();
            Done { taken, charges, evidence, problems, bad_rows, bytes }
        });
        if done.send((at, result)).is_err() {
            return;
        }
    }
}

/// Hands out charge numbers in the order of the file, whichever worker is done first.
struct Numbering {
    /// The block whose turn it is, and the next charge number.
    next: Mutex<(u64, i64)>,
    changed: Condvar,
}

/// A block's place in the queue; given back even by a worker that panics, so that nobody waits for ever.
struct Turn<'a> {
    numbering: &'a Numbering,
    block: u64,
    taken: bool,
}

impl Numbering {
    fn new(first_row: i64) -> Numbering {
        Numbering { next: Mutex::new((0, first_row)), changed: Condvar::new() }
    }

    fn turn(&self, block: u64) -> Turn<'_> {
        Turn { numbering: self, block, taken: false }
    }

    /// Wait for the blocks before `block`, then take `charges` numbers and return the first.
    fn advance(&self, block: u64, charges: usize) -> i64 {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        while next.0 != block {
            next = self.changed.wait(next).unwrap_or_else(PoisonError::into_inner);
        }
        let first = next.1;
        *next = (block + 1, first + i64::try_from(charges).unwrap_or(i64::MAX));
        self.changed.notify_all();
        first
    }
}

impl Turn<'_> {
    fn take(mut self, charges: usize) -> i64 {
        self.taken = true;
        self.numbering.advance(self.block, charges)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.taken {
            self.numbering.advance(self.block, 0);
        }
    }
}

/// What workers made, put back into the order of the file.
struct InOrder<'a> {
    done: &'a Receiver<(u64, Result<Done, LakeError>)>,
    early: BTreeMap<u64, Result<Done, LakeError>>,
    handed_over: u64,
}

impl<'a> InOrder<'a> {
    fn new(done: &'a Receiver<(u64, Result<Done, LakeError>)>) -> InOrder<'a> {
        InOrder { done, early: BTreeMap::new(), handed_over: 0 }
    }

    fn wait_for_next(&mut self) -> Result<Done, PipelineError> {
        loop {
            if let Some(next) = self.early.remove(&self.handed_over) {
                self.handed_over += 1;
                return Ok(next?);
            }
            let (at, result) = self.done.recv().map_err(|_| PipelineError::WorkerStopped)?;
            self.early.insert(at, result);
        }
    }
}
