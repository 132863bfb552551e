//! What answers mean: of a compare-and-set, of a page, and of errors.

use std::error::Error;

use scylla::errors::{DbError, ExecutionError, NextPageError, PagerExecutionError, RequestAttemptError};
use scylla::response::query_result::QueryResult;

use super::CqlError;
use crate::StoreError;

/// What became of a compare-and-set.
#[derive(Debug)]
pub enum Cas {
    /// It was done.
    Applied,
    /// The condition did not hold: nothing was written.
    Refused,
    /// The answer was lost: read at `SERIAL` what is there.
    Unknown(StoreError),
}

/// What a compare-and-set that was sent came to.
pub(super) fn outcome(answer: Result<QueryResult, ExecutionError>) -> Result<Cas, StoreError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error @ (ExecutionError::BadQuery(_) | ExecutionError::EmptyPlan)) => return Err(error.into()),
        // Answers, not lost ones: the server does not do such a thing. So says ScyllaDB of tablets that know no compare-and-set.
        Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(
            error @ (DbError::Invalid | DbError::SyntaxError | DbError::Unauthorized),
            words,
        ))) => return Err(ExecutionError::from(RequestAttemptError::DbError(error, words)).into()),
        Err(error) => return Ok(Cas::Unknown(error.into())),
    };
    // By name and alone: Cassandra answers the row that was there only on refusal, ScyllaDB always.
    let rows = answer.into_rows_result().map_err(unreadable)?;
    let at = rows.column_specs().iter().position(|column| column.name() == "[applied]");
    let row = rows.maybe_first_row::<scylla::value::Row>().map_err(unreadable)?;
    let applied = row.zip(at).and_then(|(row, at)| row.columns.get(at).cloned().flatten());
    match applied.and_then(|value| value.as_boolean()) {
        Some(true) => Ok(Cas::Applied),
        Some(false) => Ok(Cas::Refused),
        None => Ok(Cas::Unknown(CqlError::Answer("no column [applied]".to_owned()).into())),
    }
}

/// Why a page of rows is not there: most often its answer did not come.
pub(super) fn unfetched(error: PagerExecutionError) -> StoreError {
    match error {
        PagerExecutionError::NextPageError(NextPageError::RequestFailure(error)) => error.into_execution_error().into(),
        PagerExecutionError::NextPageError(NextPageError::PartitionKeyError(error)) => {
            error.into_execution_error().into()
        }
        error => unreadable(error),
    }
}

pub(super) fn unreadable(error: impl Error) -> StoreError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    CqlError::Answer(text).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use scylla::errors::RequestError;

    use super::*;

    #[test]
    fn a_page_that_does_not_come_is_not_called_unreadable() {
        let late = NextPageError::RequestFailure(RequestError::RequestTimeout(Duration::from_secs(8)));
        let StoreError::Cql(late) = unfetched(late.into()) else { panic!("an error of the server") };
        assert!(matches!(&*late, CqlError::Execute(ExecutionError::RequestTimeout(_))), "{late:?}");
    }

    #[test]
    fn what_the_server_says_it_does_not_do_is_known_not_to_be_done() {
        let said = |error: DbError| {
            let error = ExecutionError::from(RequestAttemptError::DbError(
                error,
                "LWT is not yet supported with tablets".into(),
            ));
            outcome(Err(error))
        };
        for refusal in [DbError::Invalid, DbError::Unauthorized, DbError::SyntaxError] {
            assert!(said(refusal).is_err());
        }
        for unknown in [DbError::ServerError, DbError::Overloaded, DbError::IsBootstrapping] {
            assert!(matches!(said(unknown), Ok(Cas::Unknown(_))));
        }
    }
}
