//! Stores that are wrong on purpose, each in one way: for every one a law must fail that is about the promise it breaks.

mod store;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{self, AssertUnwindSafe},
};

use job_store::{
    ErrorKind,
    conformance::{LAWS, Promise},
    verify,
};

use self::store::{Wrong, WrongFixture};

/// Writes the mutants, and the promise that each of them breaks.
macro_rules! mutants {
    ($($promise:ident: $($mutant:ident)+;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant {
            /// Breaks nothing.
            Right,
            $($($mutant,)+)+
        }

        const MUTANTS: &[(Mutant, Promise)] = &[$($((Mutant::$mutant, Promise::$promise),)+)+];
    };
}

mutants! {
    OneSeat: SeatForEverybody;
    Threads: RecordBeforeResult BatchSeenInPieces EndsInPieces RowsGoAfterTheEnd;
    InsertWhole: BatchInPieces BatchStopsAtTheLast TwinInBatchDropped EmptyBatchRefused;
    IdTaken: TakenIdIsFine TakenNamesNoJob TakenIsConflict;
    KeyTaken: KeysFolded KeysTrimmed KeysOfAllGraphs GraphsFolded KeysJoinedWithGraph KeysCut KeysNotLooked
        TakenNamesTheNewJob;
    KeyFreed: KeyNeverFree KeyFreeAtAnyEnd;
    RecordWhole: PriorityLost PriorityUnsigned ClassLost KeyOfRecordLost VersionLost ReuseLost DeadlineLost DeadlineSigned
        RowBudgetLost ByteBudgetLost MemoryBudgetLost KeepRowsLost AttemptsLost AttemptsCapped ParametersLost
        ParametersSpelledAnew ListedWithoutParameters GraphFolded MessageCut MessageTrimmed FailureLost FailureKindLost
        FailedAttemptsLost AttemptCapped SubmittedInMillis StartedLost CancelTimeLost FinishedLost PauseLost SizeLost
        SizeCapped ByteSizeLost ProgressLost ProgressZeroIsNone CancellingLost RevisionCapped;
    NoSuchJob: UnknownIsAnError UnknownResultIsAnError RemoveUnknownIsAnError ReplaceCreates NotFoundIsConflict PinOfUnknownIsFine ReleaseOfUnknownIsFine;
    CompareAndSet: SameRevisionIsFine SkippedRevisionIsFine EarlierRevisionIsFine ConflictIsNotFound ConflictNamesNoJob;
    ListWindow: ListRepeats ListOldestFirst ListBeforeIncluded ListSkipIgnored ListSkipWithBeforeIgnored ListSkipOneMore
        ListSkipWraps ListOneMore ListOneLess ListNoLimitOfZero ListCapped ListBeforeMustBeThere ListHidesLeast
        ListHidesGreatest;
    Unfinished: ListHidesComplete UnfinishedHoldsComplete UnfinishedNewestFirst UnfinishedWithoutCancelling
        UnfinishedWithoutRequeued UnfinishedCapped UnfinishedByAge;
    RemoveWhole: RemovedIsRemembered RemoveUnknownIsTrue RemovedKeepsResult RemovedKeepsRows RemovedKeepsNote
        RemoveTakesTheNext RemoveIsAlwaysFalse FindKeyOfRemoved;
    RemoveRefused: RemoveIgnoresPins RemoveAnyState RemoveWaiting RemovePinnedIsFalse;
    FindKey: FindKeyFirst FindKeyFolded FindKeyOfAnyGraph FindKeyOfOpenOnly FindKeyNotOfCancelled;
    FindReusable: FinishedFirst FinishedByGreatestId FinishedWithAnyEnd FinishedWhateverVersion FinishedWhateverParameters
        FinishedByValueOfParameters FinishedWhateverKind FinishedWhateverGraph FinishedNever;
    RecordReads: FirstNoteStays NotesOfUnknownJobs OneUnknownStopsNotes NotesOfCompleteOnly NotesInSeconds NoteZeroIsNone;
    Pin: PinNotKept ReleaseDoesNothing PinsAreCounted PinOfWaitingIsLost AnyPinIsAll;
    Usage: UsageSorted UsageOnce UsageOfKnownOnly UsageWithoutPins UsageWithoutNotes UsageOfUnknownIsAnError;
    Reopening: NotesForgottenWhenClosed ForgetsWhenClosed;
    RowsDense: SecondBlockLost RowsReversedInBlock;
    SegmentsApart: ReadFirstSegment ReadSegmentInAByte ReadSegmentInTwoBytes ReadNewestAttempt SegmentAttemptLost;
    Fence: CancellingSegmentRefused CancellingRowsRefused CancellingCheckpointRefused EarlierAttemptWrites LaterAttemptWrites
        CompleteJobTakesRows WaitingJobTakesRows FenceOfAppendIsLost FenceOfFinishIsLost FenceIsConflict
        SegmentOfUnknownIsNotFound InvalidBeforeFenced FenceNamesNoJob;
    AppendRefused: GapIsFine EmptyBlockIsFine ForeignBlockIsFine;
    VisibleRows: VisibleRowsAreMore;
    StartFlush: StartedFlushIsForgotten;
    ResultWithRecord: StaleCompleteKeepsResult StaleCompleteIsFine;
    ResultWhole: SegmentsReversed SegmentsSorted EmptySegmentsDropped SegmentsCapped SegmentBytesLost SegmentsMerged
        ListNameLost EmptyListIsNone NoListIsEmpty OutputsLost OutputsSorted OutputsSpelledAnew CancelledResultLost
        FailedResultLost CancelledRowsLost FailedRowsLost ManyCancelledLost;
    CompleteRefused: CompleteTakesAnyRecord CompleteCreates CompleteSkipsRevisions;
    CompleteAll: OnlyTheFirstEnds ConflictOfBatchNamesTheFirst EmptyEndsRefused OpenEndInBatchIsFine
        UnknownEndInBatchIsFine;
    EndDropsRows: EndKeepsRows EndKeepsEarlierAttempts EndOfWaitingKeepsRows CancelKeepsRows;
    Read: ReadOneLater ReadOneLess ReadIsHalf FirstBlockOnly RowsSpelledAnew SegmentCountsBlocks SegmentCountsOneLess
        SegmentBytesWrong SegmentNumberLost;
    ReadRefused: ReadOneMoreIsFine ReadPastEndIsShort EmptyRangeIsCorrupt BackwardsRangePanics MissingRowsAreNotFound
        RemovedRowsAreCorrupt MissingRowsNameNoJob;
    ReadEach: ReaderHoldsALock BreakIsIgnored ErrorOfReaderIsLost LastErrorOfReader ErrorOfReaderIsWrapped;
    Blocks: BlocksReversed BlocksWithoutTheLast BlocksNameTheFirstRow BlocksAreCut BlocksOfNothingAreAnError;
    Discard: DiscardNothing DiscardOneLess DiscardOneMore DiscardAll DiscardOfUnknownIsAnError;
    DiscardRefused: DiscardOfResultIsFine DiscardOfFailedIsFine;
    Checkpoint: FirstCheckpointStays CheckpointCut CheckpointTextOnly EmptyCheckpointIgnored EmptyCheckpointIsNone
        OneCheckpointForAll CheckpointGoesWithItsAttempt CheckpointGoesWithACancel DiscardTakesTheCheckpoint;
    CheckpointRefused: CheckpointOfAnyAttempt CheckpointOfAnyState CheckpointWithoutLimit CheckpointLimitIsLow;
    CheckpointGoes: CheckpointStaysAtEnd CheckpointOfWaitingStays CheckpointOfSuccessStays;
}

/// Whether a law fails on a mutant.
fn fails(run: impl FnOnce()) -> bool {
    panic::catch_unwind(AssertUnwindSafe(run)).is_err()
}

/// A sentence of the contract without such a mutant is one that nothing tests.
#[test]
fn every_wrong_store_is_caught_by_a_law_about_the_promise_it_breaks() {
    let (mut survivors, mut caught) = (Vec::new(), BTreeMap::new());
    for &(mutant, promise) in MUTANTS {
        let about = LAWS.iter().filter(|law| law.promises.contains(&promise));
        let by: Vec<_> = about
            .filter(|law| fails(|| (law.run)(&WrongFixture(Wrong::new(mutant)))))
            .map(|law| law.name)
            .collect();
        if by.is_empty() {
            survivors.push((mutant, promise));
        }
        for law in &by {
            *caught.entry(*law).or_insert(0) += 1;
        }
        println!("{promise:?}: {mutant:?}: {by:?}");
    }
    println!("{} mutants; caught by law: {caught:#?}", MUTANTS.len());
    assert_eq!(survivors, [], "no law about the promise fails on these");
}

/// What catches a mutant must be its fault alone.
#[test]
fn a_mutant_that_breaks_nothing_is_caught_by_no_law() {
    for law in LAWS {
        (law.run)(&WrongFixture(Wrong::new(Mutant::Right)));
    }
}

#[test]
fn every_promise_has_a_mutant() {
    let broken: BTreeSet<_> = MUTANTS.iter().map(|(_, promise)| *promise).collect();
    let kept: BTreeSet<_> = LAWS.iter().flat_map(|law| law.promises).copied().collect();
    let without: Vec<_> = kept.difference(&broken).collect();
    // No store over a memory has bytes that cannot be read; the backends are damaged instead.
    assert_eq!(without, [&Promise::Unreadable]);
}

#[test]
fn a_walk_over_a_list_that_repeats_itself_ends() {
    use job_core::{JobId, JobRecord, JobSpec, Timestamp};
    use job_store::{Durability, JobStore};

    let store = Wrong::new(Mutant::ListRepeats);
    let job = JobRecord::waiting(JobId::MIN, JobSpec::vertex_filter().with_graph("g"), Timestamp::default());
    store.insert(&[job], Durability::Buffered).unwrap();
    let error = verify(&store, &mut |_| ()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("lists it again"), "{error}");
}
