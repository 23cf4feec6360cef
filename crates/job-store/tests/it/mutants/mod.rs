//! Stores that are wrong on purpose, each in one way. A law about the broken promise must fail on each of them.

mod claims;
mod engine;
mod filtered;
mod frail;
mod store;

use std::{
    collections::BTreeSet,
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

/// Defines the mutants, each with the promise that it breaks.
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
    Threads: ReplaceChecksBeforehand CompleteChecksBeforehand OpenSegmentReadsShort WritersOnTwoThreadsLose RecordBeforeResult BatchSeenInPieces EndsInPieces RowsGoAfterTheEnd;
    InsertWhole: LargeBatchInPieces BatchInPieces BatchStopsAtTheLast TwinInBatchDropped EmptyBatchRefused;
    IdTaken: IdOfAStartedJobIsFree TakenIdIsFine TakenNamesNoJob TakenIsConflict;
    KeyTaken: KeysCheckedBeforehand TwinKeyInBatchIsFine KeysFolded KeysTrimmed KeysOfAllGraphs GraphsFolded KeysJoinedWithGraph KeysCut KeysNotLooked
        TakenNamesTheNewJob;
    KeyFreed: KeyNeverFree KeyFreeAtAnyEnd;
    RecordWhole: CancelOfLaterAttemptsLost AlgorithmOfAFilterIsTheFilter PriorityLost PriorityUnsigned ClassLost KeyOfRecordLost VersionLost ReuseLost DeadlineLost DeadlineSigned OwnerLost OwnerTrimmed LabelsLost LabelsFolded LabelsCapped TraceParentLost RawRequestLost IgnoredLost AgainOfLost LaterLost
        RowBudgetLost ByteBudgetLost MemoryBudgetLost KeepRowsLost AttemptsLost AttemptsCapped ParametersLost
        ParametersSpelledAnew ListedWithoutParameters GraphFolded MessageCut MessageTrimmed FailureLost FailureKindLost
        FailedAttemptsLost AttemptCapped SubmittedInMillis StartedLost CancelTimeLost FinishedLost PauseLost SizeLost
        SizeCapped ByteSizeLost ProgressLost ProgressZeroIsNone CancellingLost RevisionCapped;
    NoSuchJob: ReplaceOfUnknownStartCreates UnknownIsAnError UnknownResultIsAnError RemoveUnknownIsAnError ReplaceCreates NotFoundIsConflict PinOfUnknownIsFine ReleaseOfUnknownIsFine;
    CompareAndSet: StaleEndIsFine SameRevisionIsFine SkippedRevisionIsFine EarlierRevisionIsFine ConflictIsNotFound ConflictNamesNoJob;
    ListWindow: ListRepeats ListOldestFirst ListBeforeIncluded ListSkipIgnored ListSkipWithBeforeIgnored ListSkipOneMore
        ListSkipWraps ListOneMore ListOneLess ListNoLimitOfZero ListCapped ListBeforeMustBeThere ListHidesLeast
        ListHidesGreatest;
    FilteredList: FilterIgnoresGraph GraphOfFilterFolded FilterIgnoresKind FilterIgnoresOwner OwnerOfFilterFolded
        FilterIgnoresLabels OneLabelIsEnough LabelIsABeginning FilterIgnoresStates OneStateAlone FilteredOldestFirst
        FilteredBeforeIncluded FilteredBeforeIgnored FilteredOneMore FilteredOneLess FilteredCapped FilteredAfterThePage
        FilteredWithoutUnfinished FilteredWithoutComplete FilteredWithoutCancelled FilteredUnfinishedFirst
        FilteredKnowsRemoved FilteredWithoutRequeued RemovalHidesTheNextFromFilters EndsAreSeenTwice EndsAreMissed BeginsAreMissed FilteredNoLimitOfZero FilteredForgetsWhenClosed;
    Count: CountIgnoresMost CountIgnoresFilter CountCapped CountOneMore;
    Kept: KeptWithPinned KeptWithUnfinished KeptForgetsWhenClosed KeptBytesLost KeptNeverLess KeptWithRowsOnly;
    LeastUsed: NotesOfRunningDoNotCount LeastUsedById LeastUsedByEnd LeastUsedByReading MostUsedFirst LeastUsedWithPinned LeastUsedWithUnfinished
        LeastUsedAfterIncluded LeastUsedAfterIgnored LeastUsedRowsIgnored LeastUsedNoLimit LeastUsedBytesLost
        LeastUsedTiesNewestFirst;
    Unfinished: ListHidesComplete UnfinishedHoldsComplete UnfinishedNewestFirst UnfinishedWithoutCancelling
        UnfinishedWithoutRequeued UnfinishedCapped UnfinishedByAge;
    RemoveWhole: RemoveTakesTheOneBefore RemovedKeepsItsKey RemovedJobTakesRows RemovedIsRemembered RemoveUnknownIsTrue RemovedKeepsResult RemovedKeepsRows RemovedKeepsNote
        RemoveTakesTheNext RemoveIsAlwaysFalse FindKeyOfRemoved;
    RemoveRefused: RemoveIgnoresPins RemoveAnyState RemoveWaiting RemovePinnedIsFalse;
    FindKey: FindKeyFirst FindKeyFolded FindKeyOfAnyGraph FindKeyOfOpenOnly FindKeyNotOfCancelled;
    FindReusable: RemovingAnOlderJobHidesTheWork EndWithoutAResultIsReusable FinishedFirst FinishedByGreatestId FinishedWithAnyEnd FinishedWhateverVersion FinishedWhateverParameters
        FinishedByValueOfParameters FinishedWhateverKind FinishedWhateverGraph FinishedNever;
    RecordReads: FirstNoteStays NotesOfUnknownJobs OneUnknownStopsNotes NotesOfCompleteOnly NotesInSeconds NoteZeroIsNone;
    Pin: PinNotKept ReleaseDoesNothing PinsAreCounted PinOfWaitingIsLost AnyPinIsAll;
    Usage: UsageSorted UsageOnce UsageOfKnownOnly UsageWithoutPins UsageWithoutNotes UsageOfUnknownIsAnError;
    Reopening: OpenRowsForgottenWhenClosed RemovedComesBack NotesForgottenWhenClosed ForgetsWhenClosed;
    RowsDense: SecondBlockLost RowsReversedInBlock;
    SegmentsApart: ThirdOpenWriterLoses ReadFirstSegment ReadSegmentInAByte ReadSegmentInTwoBytes ReadNewestAttempt SegmentAttemptLost;
    Fence: CancellingSegmentRefused CancellingRowsRefused CancellingCheckpointRefused EarlierAttemptWrites LaterAttemptWrites
        CompleteJobTakesRows WaitingJobTakesRows FenceOfAppendIsLost FenceOfFinishIsLost FenceIsConflict
        SegmentOfUnknownIsNotFound InvalidBeforeFenced FenceNamesNoJob;
    AppendRefused: GapIsFine EmptyBlockIsFine ForeignBlockIsFine;
    VisibleRows: VisibleRowsAreMore;
    StoredBytes: StoredBytesAreMore;
    ShowRows: ShownRowsAreNotCounted RowsAfterTheShownAreLost ShowOfNothingIsAnError;
    StartFlush: StartedFlushIsForgotten;
    ResultWithRecord: RunningHasAResult StaleCompleteKeepsResult StaleCompleteIsFine;
    ResultWhole: SegmentsReversed SegmentsSorted EmptySegmentsDropped SegmentsCapped SegmentBytesLost SegmentsMerged
        ListNameLost EmptyListIsNone NoListIsEmpty OutputsLost OutputsSorted OutputsSpelledAnew CancelledResultLost
        FailedResultLost CancelledRowsLost FailedRowsLost ManyCancelledLost;
    CompleteRefused: CompleteTakesAnyRecord CompleteCreates CompleteSkipsRevisions;
    CompleteAll: OnlyTheFirstEnds ConflictOfBatchNamesTheFirst EmptyEndsRefused OpenEndInBatchIsFine
        UnknownEndInBatchIsFine;
    EndDropsRows: SyncedEndKeepsRows EndKeepsRows EndKeepsEarlierAttempts EndOfWaitingKeepsRows CancelKeepsRows;
    Read: RowsOfLaterPartsAreEarlierOnes BlockAfterManyLost LargeBlockLost BlockOfTheLongestRowLost ReadOneLater ReadOneLess ReadIsHalf FirstBlockOnly RowsSpelledAnew SegmentCountsBlocks SegmentCountsOneLess
        SegmentBytesWrong SegmentNumberLost;
    HeldRows: HeldRowsBeginEarlier HeldRowsGoOn HeldRowsMiscounted HeldRowsOutliveTheJob;
    ReadRefused: ReadOneMoreIsFine ReadPastEndIsShort EmptyRangeIsCorrupt BackwardsRangePanics MissingRowsAreNotFound
        RemovedRowsAreCorrupt MissingRowsNameNoJob;
    ReadEach: ReaderHoldsALock BreakIsIgnored ErrorOfReaderIsLost LastErrorOfReader ErrorOfReaderIsWrapped;
    Blocks: BlocksOfAWrongCountAreNone BlocksReversed BlocksWithoutTheLast BlocksNameTheFirstRow BlocksAreCut BlocksOfNothingAreAnError;
    Discard: SecondDiscardIsAnError DiscardNothing DiscardOneLess DiscardOneMore DiscardAll DiscardOfUnknownIsAnError;
    DiscardRefused: DiscardOfOneSegmentIsFine DiscardOfResultIsFine DiscardOfFailedIsFine;
    Checkpoint: FirstCheckpointStays CheckpointCut CheckpointTextOnly EmptyCheckpointIgnored EmptyCheckpointIsNone
        OneCheckpointForAll CheckpointGoesWithItsAttempt CheckpointGoesWithACancel DiscardTakesTheCheckpoint;
    CheckpointRefused: CheckpointOfAnyAttempt CheckpointOfAnyState CheckpointWithoutLimit CheckpointLimitIsLow;
    Failures: FirstFailuresStay FailuresGoAtTheEnd FailuresGoWithTheirAttempt OneListOfFailuresForAll FailuresCut FailuresWithoutTimes
        DiscardTakesFailures CancellingFailuresRefused;
    FailuresRefused: FailuresOfAnyAttempt FailuresOfAnyState FailuresWithoutLimit FailuresLimitIsLow;
    FailuresGo: RemovedKeepsFailures RemovalTakesAllFailures;
    CheckpointGoes: CheckpointOfFailedStays CheckpointStaysAtEnd CheckpointOfWaitingStays CheckpointOfSuccessStays;
}

mutants! { ClaimMutant CLAIM_MUTANTS;
    ClaimantSeat: SeatOfClaimantForAll AloneBesideOthers;
    ClaimOrder: PriorityIgnored LowestPriorityFirst YoungestFirst UrgentOnly;
    ClaimAsked: KindsIgnored FirstKindOnly LimitIgnored LimitIsAtLeastOne LimitIsAtMostOne;
    ClaimDue: PauseIgnored LongPauseIsKept PausedIsNeverClaimed;
    ClaimOnce: GivenToAll;
    ClaimRecord: StartsUnasked ClaimIsARevision;
    ClaimStarts: StartLosesPin StartsLastAttempts StartsLaterAttempts StartsNone StartAtAnotherTime StartIsNotTold StartedIsToldAsWaiting;
    ClaimAgain: AgainIgnored AgainAnswersAllTokens AgainAnswersOthers AgainClaimsMore AgainStartedOnly AgainAfterTheLease
        AgainKeepsTheLease;
    ClaimLost: LostAlways LostNever NoneIsLost AllAreLost AllThatRunAreLost;
    OnlyClaimant: FormerClaimantWrites StrangersWriteWhatNoClaimHasStarted OthersStart OthersPutBack OthersExpire OthersEnd OthersWriteRows OthersComplete OthersCheckpoint OthersKeepFailures;
    LeaseEnds: ClaimMovesAllLeases FormerClaimantStarts LeaseIsForEver LeaseIsShort LateStart LateEnd LatePutBack LateSegment LateAppend LateFinish LateComplete
        LateCheckpoint;
    Renew: StartEndsARenewedLease RenewAnswersAll RenewAnswersUnasked RenewRevisionZero RenewDoesNothing RenewMovesAll RenewNeverShortens
        RenewWhateverToken RenewRunningOnly RenewOneOnly;
    RenewLate: LateRenewalRefused LateRenewalTakesBack;
    Release: ReleaseDoesNothing ReleaseOneOnly ReleaseWhateverToken ReleaseOfOthers ReleaseWaitingOnly
        ReleaseFreesWhatHasEnded;
    Holder: HolderIsNobody HolderIsWhoAsks HolderIsAStranger HolderHasNoEnd HolderOfARunningJobOnly;
    ClaimEnds: EndKeepsClaim;
    Cancel: CancelIsFenced CancelOfWaitingIsFenced SecondCancelIsFenced CancelEndsTheLease RenewHidesCancel;
    News: Deaf HearsAllTheTime NewJobsAreNotHeard CancelsAreNotHeard CancelsOfWaitingAreNotHeard
        PutBackIsNotHeard EndsAreNotHeard;
    Wake: WakeIsIgnored WakeBeforeTheWaitIsLost;
    Changed: ChangedIsAll ChangedIsNone ChangedWithoutGone ChangedIsGone ChangedIsLaterOnly;
}

mutants! { FrailMutant FRAIL_MUTANTS;
    Buffered: KilledLosesBuffered KilledLosesTheLast KilledLosesRecords KilledLosesResults KilledLosesKeys KilledLosesWorks
        KilledLosesNotes KilledLosesPins KilledLosesCheckpoints KilledLosesFailures KilledLosesRows KilledLosesRemovals;
    Synced: PowerLosesAll PowerLosesTheLastSynced PowerLosesWhatWasBuffered PowerLosesRows PowerLosesResults PowerLosesPins
        PowerLosesCheckpoints PowerLosesNotes InsertIsBuffered ReplaceIsBuffered CompleteIsBuffered;
    CrashWhole: PowerTearsCommits PowerKeepsRecordsWithoutRows PowerKeepsRecordsWithoutResults
        PowerKeepsRecordsWithoutKeys PowerKeepsKeysWithoutRecords PowerKeepsUnfinished PowerKeepsEndsWithRows;
    Damage: RecordsUnchecked ResultsUnchecked RowAloneUnchecked RowsTogetherUnchecked CheckpointsUnchecked FailuresUnchecked DamageIsNothing DamageIsUnavailable;
    Discard: DiscardForgetsRowsFromBeforeADeath;
    Unreadable: UnreadableIsHidden UnreadableIsNotFiltered UnreadableIsNotUnfinished UnreadableHidesOthers UnreadableEndsTheList
        UnreadableNamesNoJob UnreadableIsNotRemoved UnreadableRemovedIsFalse UnreadablePinIsIgnored;
    Cost: GetLooksAtAll ListLooksAtAll ListLooksAtAllThatIsNewer UnfinishedLooksAtAll FindKeyLooksAtAll
        FindReusableLooksAtAll UsageLooksAtAll ResultLooksAtAll CheckpointLooksAtAll FailuresLookAtAll ReadBeginsAtTheFirstRow
        ReadLooksAtAllBlocks;
}

/// Whether a law fails on a mutant.
fn fails(run: impl FnOnce()) -> bool {
    panic::catch_unwind(AssertUnwindSafe(run)).is_err()
}

/// The name of a mutant, the promise that it breaks, and the laws about that promise that fail on the mutant.
type Caught = (String, Promise, Vec<&'static str>);

/// Tries every law about the promise that a mutant breaks, for each mutant.
fn catch<F: ?Sized, M: Copy + Debug>(
    laws: &[Law<F>],
    mutants: &[(M, Promise)],
    try_law: impl Fn(&Law<F>, M),
) -> Vec<Caught> {
    let mut caught = Vec::new();
    for &(mutant, promise) in mutants {
        let about = laws.iter().filter(|law| law.promises.contains(&promise));
        let by: Vec<_> = about.filter(|law| fails(|| try_law(law, mutant))).map(|law| law.name).collect();
        println!("{promise:?}: {mutant:?}: {by:?}");
        caught.push((format!("{mutant:?}"), promise, by));
    }
    caught
}

/// Checks that every promise has a mutant that is caught, since otherwise no law tests it. Also that every law is
/// the only one to catch some mutant, since otherwise other laws make it redundant.
fn check<F: ?Sized>(laws: &[Law<F>], caught: &[Caught]) {
    let survivors: Vec<_> = caught.iter().filter(|(_, _, by)| by.is_empty()).collect();
    assert!(survivors.is_empty(), "no law about the promise fails on these: {survivors:#?}");
    let alone: BTreeSet<_> = caught.iter().filter_map(|(_, _, by)| by.first().filter(|_| by.len() == 1)).collect();
    let spare: Vec<_> = laws.iter().map(|law| law.name).filter(|law| !alone.contains(law)).collect();
    assert!(spare.is_empty(), "these laws alone catch no mutant: {spare:#?}");
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

#[test]
fn every_wrong_store_is_caught_by_a_law_about_the_promise_it_breaks() {
    check(LAWS, &[catch(LAWS, MUTANTS, try_law), catch(LAWS, FRAIL_MUTANTS, try_frail)].concat());
}

#[test]
fn every_wrong_claimant_is_caught_by_a_law_about_the_promise_it_breaks() {
    check(SHARING_LAWS, &catch(SHARING_LAWS, CLAIM_MUTANTS, try_sharing));
}

/// A law must catch a mutant only for the mutant's fault, so a mutant without a fault passes every law.
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
