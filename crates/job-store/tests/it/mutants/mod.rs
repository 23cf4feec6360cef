//! Stores that are wrong on purpose, each in one way: for every one a law must fail that is about the promise it breaks.

mod claims;
mod engine;
mod frail;
mod store;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    panic::{self, AssertUnwindSafe},
};

use job_store::{
    ErrorKind,
    conformance::{LAWS, Law, Promise, SHARING_LAWS, SharedFixture},
    verify,
};

use self::{
    claims::WrongSharing,
    frail::Frail,
    store::{Wrong, WrongFixture},
};

/// Writes mutants, and the promise that each of them breaks.
macro_rules! mutants {
    ($name:ident $all:ident; $($promise:ident: $($mutant:ident)+;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            /// Breaks nothing.
            Right,
            $($($mutant,)+)+
        }

        const $all: &[($name, Promise)] = &[$($(($name::$mutant, Promise::$promise),)+)+];
    };
}

mutants! { Mutant MUTANTS;
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

mutants! { ClaimMutant CLAIM_MUTANTS;
    ClaimantSeat: SeatOfClaimantForAll AloneBesideOthers;
    ClaimOrder: PriorityIgnored LowestPriorityFirst YoungestFirst UrgentOnly;
    ClaimAsked: KindsIgnored FirstKindOnly LimitIgnored LimitIsAtLeastOne LimitIsAtMostOne;
    ClaimDue: PauseIgnored LongPauseIsKept PausedIsNeverClaimed;
    ClaimOnce: GivenToAll;
    ClaimRecord: StartsUnasked ClaimIsARevision;
    ClaimStarts: StartsLastAttempts StartsLaterAttempts StartsNone StartAtAnotherTime StartIsNotTold StartedIsToldAsWaiting;
    ClaimAgain: AgainIgnored AgainAnswersAllTokens AgainAnswersOthers AgainClaimsMore AgainStartedOnly AgainAfterTheLease
        AgainKeepsTheLease;
    ClaimLost: LostAlways LostNever NoneIsLost AllAreLost AllThatRunAreLost;
    OnlyClaimant: OthersStart OthersPutBack OthersExpire OthersEnd OthersWriteRows OthersComplete OthersCheckpoint;
    LeaseEnds: LeaseIsForEver LeaseIsShort LateStart LateEnd LatePutBack LateSegment LateAppend LateFinish LateComplete
        LateCheckpoint;
    Renew: RenewAnswersAll RenewAnswersUnasked RenewRevisionZero RenewDoesNothing RenewMovesAll RenewNeverShortens
        RenewWhateverToken RenewRunningOnly RenewOneOnly;
    RenewLate: LateRenewalRefused LateRenewalTakesBack;
    Release: ReleaseDoesNothing ReleaseOneOnly ReleaseWhateverToken ReleaseOfOthers ReleaseWaitingOnly
        ReleaseFreesWhatHasEnded;
    ClaimEnds: EndKeepsClaim;
    Cancel: CancelIsFenced CancelOfWaitingIsFenced SecondCancelIsFenced CancelEndsTheLease RenewHidesCancel;
    News: Deaf HearsAllTheTime NewJobsAreNotHeard CancelsAreNotHeard CancelsOfWaitingAreNotHeard
        PutBackIsNotHeard EndsAreNotHeard;
    Wake: WakeIsIgnored WakeBeforeTheWaitIsLost;
    Changed: ChangedIsAll ChangedIsNone ChangedWithoutGone ChangedIsGone ChangedIsLaterOnly;
}

mutants! { FrailMutant FRAIL_MUTANTS;
    Buffered: KilledLosesBuffered KilledLosesTheLast KilledLosesRecords KilledLosesResults KilledLosesKeys KilledLosesWorks
        KilledLosesNotes KilledLosesPins KilledLosesCheckpoints KilledLosesRows KilledLosesRemovals;
    Synced: PowerLosesAll PowerLosesTheLastSynced PowerLosesWhatWasBuffered PowerLosesRows PowerLosesResults PowerLosesPins
        PowerLosesCheckpoints PowerLosesNotes InsertIsBuffered ReplaceIsBuffered CompleteIsBuffered;
    CrashWhole: PowerTearsCommits PowerKeepsRecordsWithoutRows PowerKeepsRecordsWithoutResults
        PowerKeepsRecordsWithoutKeys PowerKeepsKeysWithoutRecords PowerKeepsUnfinished PowerKeepsEndsWithRows;
    Damage: RecordsUnchecked ResultsUnchecked RowsUnchecked CheckpointsUnchecked DamageIsNothing DamageIsUnavailable;
    Unreadable: UnreadableIsHidden UnreadableIsNotUnfinished UnreadableHidesOthers UnreadableEndsTheList
        UnreadableNamesNoJob UnreadableIsNotRemoved UnreadableRemovedIsFalse UnreadablePinIsIgnored;
    Cost: GetLooksAtAll ListLooksAtAll ListLooksAtAllThatIsNewer UnfinishedLooksAtAll FindKeyLooksAtAll
        FindReusableLooksAtAll UsageLooksAtAll ResultLooksAtAll CheckpointLooksAtAll ReadBeginsAtTheFirstRow
        ReadLooksAtAllBlocks;
}

/// Whether a law fails on a mutant.
fn fails(run: impl FnOnce()) -> bool {
    panic::catch_unwind(AssertUnwindSafe(run)).is_err()
}

/// Mutants that no law about the promise that they break fails on; tells which law fails on which.
fn survivors<F: ?Sized, M: Copy + Debug>(
    laws: &[Law<F>],
    mutants: &[(M, Promise)],
    try_law: impl Fn(&Law<F>, M),
) -> Vec<(M, Promise)> {
    let (mut survivors, mut caught) = (Vec::new(), BTreeMap::new());
    for &(mutant, promise) in mutants {
        let about = laws.iter().filter(|law| law.promises.contains(&promise));
        let by: Vec<_> = about.filter(|law| fails(|| try_law(law, mutant))).map(|law| law.name).collect();
        if by.is_empty() {
            survivors.push((mutant, promise));
        }
        for law in &by {
            *caught.entry(*law).or_insert(0) += 1;
        }
        println!("{promise:?}: {mutant:?}: {by:?}");
    }
    println!("{} mutants; caught by law: {caught:#?}", mutants.len());
    survivors
}

fn try_law(law: &Law, mutant: Mutant) {
    (law.run)(&WrongFixture(Wrong::new(mutant)));
}

fn try_sharing(law: &Law<dyn SharedFixture>, mutant: ClaimMutant) {
    (law.run)(&WrongSharing::new(mutant));
}

fn try_frail(law: &Law, mutant: FrailMutant) {
    (law.run)(&Frail::new(mutant));
}

/// A sentence of the contract without such a mutant is one that nothing tests.
#[test]
fn every_wrong_store_is_caught_by_a_law_about_the_promise_it_breaks() {
    assert_eq!(survivors(LAWS, MUTANTS, try_law), [], "no law about the promise fails on these");
}

#[test]
fn every_wrong_claimant_is_caught_by_a_law_about_the_promise_it_breaks() {
    assert_eq!(survivors(SHARING_LAWS, CLAIM_MUTANTS, try_sharing), [], "no law about the promise fails on these");
}

#[test]
fn every_frail_store_is_caught_by_a_law_about_the_promise_it_breaks() {
    assert_eq!(survivors(LAWS, FRAIL_MUTANTS, try_frail), [], "no law about the promise fails on these");
}

/// What catches a mutant must be its fault alone.
#[test]
fn a_mutant_that_breaks_nothing_is_caught_by_no_law() {
    for law in LAWS {
        try_law(law, Mutant::Right);
        try_frail(law, FrailMutant::Right);
    }
    for law in SHARING_LAWS {
        try_sharing(law, ClaimMutant::Right);
    }
}

#[test]
fn every_promise_has_a_mutant() {
    let all = MUTANTS.iter().map(|(_, promise)| promise);
    let all = all.chain(FRAIL_MUTANTS.iter().map(|(_, promise)| promise));
    let broken: BTreeSet<_> = all.chain(CLAIM_MUTANTS.iter().map(|(_, promise)| promise)).collect();
    for promise in Promise::ALL {
        assert!(broken.contains(promise), "no mutant breaks {promise:?}: {}", promise.sentence());
    }
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
