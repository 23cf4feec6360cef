//! [`ErrorCode`]: the documented codes of errors.

use std::fmt;

/// The codes of the service's public error table that a job engine and its host meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// GES.8000: a parameter or a body has the wrong form.
    ParameterFormat,
    /// GES.8005: a parameter has a wrong value.
    Parameter,
    /// GES.8006: there is no such path, method or graph.
    Resource,
    /// GES.8007: the client is not known.
    Token,
    /// GES.8011: a result cannot be exported.
    Export,
    /// GES.8020: the caller may not do this.
    Forbidden,
    /// GES.8101: the conditions of an edge filter cannot be used.
    EdgeCondition,
    /// GES.8102: a label of an edge filter is unknown.
    EdgeLabel,
    /// GES.8103: an edge filter has neither labels nor conditions.
    EdgeFilterEmpty,
    /// GES.8104: the order of an edge filter's rows is not possible.
    EdgeSort,
    /// GES.8105: an edge filter failed.
    EdgeFilter,
    /// GES.8109: a predicate of an edge filter is unknown.
    EdgePredicate,
    /// GES.8201: a label of a vertex filter is unknown.
    VertexLabel,
    /// GES.8202: the conditions of a vertex filter cannot be used.
    VertexCondition,
    /// GES.8203: a vertex filter has neither labels nor conditions.
    VertexFilterEmpty,
    /// GES.8204: a vertex filter failed.
    VertexFilter,
    /// GES.8205: the order of a vertex filter's rows is not possible.
    VertexSort,
    /// GES.8211: a predicate of a vertex filter is unknown.
    VertexPredicate,
    /// GES.8301: no such job, or the job failed.
    JobQuery,
    /// GES.8302: a job could not be read.
    JobQueryInternal,
    /// GES.8303: the job cannot be cancelled.
    JobCancel,
    /// GES.8304: a cancel could not be stored.
    JobCancelInternal,
    /// GES.8401: algorithm or graph name is empty.
    AlgorithmName,
    /// GES.8402: the algorithm cannot be run.
    Algorithm,
    /// GES.8403: the algorithm failed in the service.
    AlgorithmInternal,
    /// GES.8404: the execution mode is unknown.
    AlgorithmMode,
    /// GES.8602: the engine takes no work now.
    Unavailable,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 27] = [
        Self::ParameterFormat,
        Self::Parameter,
        Self::Resource,
        Self::Token,
        Self::Export,
        Self::Forbidden,
        Self::EdgeCondition,
        Self::EdgeLabel,
        Self::EdgeFilterEmpty,
        Self::EdgeSort,
        Self::EdgeFilter,
        Self::EdgePredicate,
        Self::VertexLabel,
        Self::VertexCondition,
        Self::VertexFilterEmpty,
        Self::VertexFilter,
        Self::VertexSort,
        Self::VertexPredicate,
        Self::JobQuery,
        Self::JobQueryInternal,
        Self::JobCancel,
        Self::JobCancelInternal,
        Self::AlgorithmName,
        Self::Algorithm,
        Self::AlgorithmInternal,
        Self::AlgorithmMode,
        Self::Unavailable,
    ];

    /// The code as it is sent, and the HTTP status that goes with it.
    const fn sent(self) -> (&'static str, u16) {
        match self {
            Self::ParameterFormat => ("GES.8000", 400),
            Self::Parameter => ("GES.8005", 400),
            Self::Resource => ("GES.8006", 404),
            Self::Token => ("GES.8007", 401),
            Self::Export => ("GES.8011", 400),
            Self::Forbidden => ("GES.8020", 403),
            Self::EdgeCondition => ("GES.8101", 400),
            Self::EdgeLabel => ("GES.8102", 400),
            Self::EdgeFilterEmpty => ("GES.8103", 400),
            Self::EdgeSort => ("GES.8104", 400),
            Self::EdgeFilter => ("GES.8105", 400),
            Self::EdgePredicate => ("GES.8109", 400),
            Self::VertexLabel => ("GES.8201", 400),
            Self::VertexCondition => ("GES.8202", 400),
            Self::VertexFilterEmpty => ("GES.8203", 400),
            Self::VertexFilter => ("GES.8204", 400),
            Self::VertexSort => ("GES.8205", 400),
            Self::VertexPredicate => ("GES.8211", 400),
            Self::JobQuery => ("GES.8301", 400),
            Self::JobQueryInternal => ("GES.8302", 500),
            Self::JobCancel => ("GES.8303", 400),
            Self::JobCancelInternal => ("GES.8304", 500),
            Self::AlgorithmName => ("GES.8401", 400),
            Self::Algorithm => ("GES.8402", 400),
            Self::AlgorithmInternal => ("GES.8403", 500),
            Self::AlgorithmMode => ("GES.8404", 400),
            Self::Unavailable => ("GES.8602", 503),
        }
    }

    /// The code as it is sent, such as `GES.8301`.
    ///
    /// ```
    /// assert_eq!(job_core::wire::ErrorCode::JobQuery.as_str(), "GES.8301");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.sent().0
    }

    /// The code in answers that name no service, and the HTTP status that goes with it there.
    const fn plain(self) -> (&'static str, u16) {
        match self {
            Self::ParameterFormat => ("malformed", 400),
            Self::Parameter => ("invalid_parameter", 400),
            Self::Resource => ("not_found", 404),
            Self::Token => ("unauthenticated", 401),
            Self::Export => ("export_refused", 400),
            Self::Forbidden => ("forbidden", 403),
            Self::EdgeCondition => ("invalid_edge_condition", 400),
            Self::EdgeLabel => ("unknown_edge_label", 400),
            Self::EdgeFilterEmpty => ("empty_edge_filter", 400),
            Self::EdgeSort => ("invalid_edge_sort", 400),
            Self::EdgeFilter => ("edge_filter_refused", 400),
            Self::EdgePredicate => ("unknown_edge_predicate", 400),
            Self::VertexLabel => ("unknown_vertex_label", 400),
            Self::VertexCondition => ("invalid_vertex_condition", 400),
            Self::VertexFilterEmpty => ("empty_vertex_filter", 400),
            Self::VertexFilter => ("vertex_filter_refused", 400),
            Self::VertexSort => ("invalid_vertex_sort", 400),
            Self::VertexPredicate => ("unknown_vertex_predicate", 400),
            Self::JobQuery => ("unknown_job", 404),
            Self::JobQueryInternal => ("internal", 500),
            Self::JobCancel => ("job_not_cancellable", 409),
            Self::JobCancelInternal => ("cancel_not_stored", 500),
            Self::AlgorithmName => ("algorithm_missing", 400),
            Self::Algorithm => ("algorithm_refused", 400),
            Self::AlgorithmInternal => ("algorithm_failed", 500),
            Self::AlgorithmMode => ("unknown_mode", 400),
            Self::Unavailable => ("unavailable", 503),
        }
    }

    /// The code in answers that name no service, such as `unknown_job`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        self.plain().0
    }

    /// The HTTP status of an answer with this code that names no service: an unknown job is 404 there.
    ///
    /// ```
    /// use job_core::wire::ErrorCode;
    ///
    /// assert_eq!((ErrorCode::JobQuery.http_status(), ErrorCode::JobQuery.plain_status()), (400, 404));
    /// ```
    #[must_use]
    pub const fn plain_status(self) -> u16 {
        self.plain().1
    }

    /// The code that is sent as this text.
    #[must_use]
    pub fn sent_as(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// The HTTP status of an answer with this code.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        self.sent().1
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_in_the_order_of_their_numbers() {
        let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
        let mut words = ErrorCode::ALL.map(ErrorCode::word).to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ErrorCode::ALL.len());
    }
}
