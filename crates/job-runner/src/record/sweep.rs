//! Notes readings, and removes the jobs that retention does not keep.

use crate::{decide::retention, engine::core::EngineCore, job::error::EngineError};

impl EngineCore {
    /// Removes the jobs that retention does not keep, and notes readings.
    pub(crate) fn sweep(&self) -> Result<(), EngineError> {
        self.sweep_reads()?;
        self.sweep_surplus()
    }

    /// Removes the jobs that retention does not keep.
    pub(crate) fn sweep_surplus(&self) -> Result<(), EngineError> {
        if !self.config.retention.is_off() {
            // The lock is free during the sweep, so a second sweep at the same time finds no looks and reads all
            // records.
            let mut looks = std::mem::take(&mut *self.looks.lock());
            let removed = retention::sweep(&**self.store(), self.config.retention, self.clock.now(), &mut looks)?;
            *self.looks.lock() = looks;
            self.metrics.removed(removed);
        }
        Ok(())
    }

    /// Notes when results were last read.
    pub(crate) fn sweep_reads(&self) -> Result<(), EngineError> {
        let reads = self.reads.take();
        if reads.is_empty() {
            return Ok(());
        }
        let noted = self.store().record_reads(&reads);
        if noted.is_err() {
            self.reads.put_back(reads);
        }
        Ok(noted?)
    }
}
