//! The writer's side of the environment.

use std::sync::Arc;

use super::group::Group;
use super::homes::Homes;
use super::tables::Files;
use crate::prepare::Prepared;
use crate::writer::{Answer, Engine};
use crate::{Clock, StoreError};

pub(super) struct EmbeddedEngine {
    files: Arc<Files>,
    clock: Arc<dyn Clock>,
    homes: Homes,
}

impl EmbeddedEngine {
    pub(super) fn new(files: Arc<Files>, clock: Arc<dyn Clock>) -> EmbeddedEngine {
        EmbeddedEngine { files, clock, homes: Homes::default() }
    }

    fn write_group(&mut self, batches: Vec<Prepared>) -> Result<Vec<Answer>, StoreError> {
        let mut group = Group::begin(&self.files, &mut self.homes)?;
        let mut answers = Vec::with_capacity(batches.len());
        for prepared in batches {
            let answer = match group.check(&prepared.batch) {
                Ok(()) => Ok(group.apply(prepared, self.clock.now())?),
                Err(error) if error.is_refusal() => Err(error),
                Err(error) => return Err(error),
            };
            answers.push(answer);
        }
        if answers.iter().any(Result::is_ok) {
            group.commit()?;
        }
        Ok(answers)
    }
}

impl Engine for EmbeddedEngine {
    const GROUP_BYTES_MAX: usize = 32 << 20;

    fn write(&mut self, batches: Vec<Prepared>) -> Result<Vec<Answer>, StoreError> {
        // What was noted on the way is not so when the group fails.
        self.write_group(batches).inspect_err(|_| self.homes.clear())
    }
}
