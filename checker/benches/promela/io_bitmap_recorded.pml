/*
 * The io-bitmap mechanism once more, for SPIN: variant `recorded` of models/src/io_bitmap, at the size
 * cpus=2,tasks=2,ports=2,objects=2,calls=3,workers=1,unprivileged=0.
 *
 * This twin exists for one comparison of speed and memory, and as a third opinion on the number of states:
 * distinct states and transitions must be the same as the exact engine's. It is not another copy of the
 * protocol for anybody to read; where the two differ, the Rust model is right.
 *
 * Every step is one d_step that begins and ends at the head of the loop of its CPU, so that SPIN has no
 * states of its own. Steps that a task takes when there is no choice share one d_step, because SPIN tries all
 * alternatives of a loop one after the other. Fields that this variant never changes are left out.
 */

#define IDLE		3
#define CALLS		3

/* Places of a task. Calls of ioperm() that may still take a number are those from Allocate to PreemptOn. */
#define Unborn		0
#define Forked		1
#define User		2
#define Kernel		3
#define Dead		4
#define Allocate	5
#define PreemptOff	6
#define ChangeBit	7
#define FindMax		8
#define StoreMax	9
#define TakeNumber	10
#define CopyToTss	11
#define Record		12
#define StorePointer	13
#define SetFlag		14
#define BaseValid	15
#define PreemptOn	16
#define ExitPreemptOff	17
#define ClearPointer	18
#define ClearFlag	19
#define BaseInvalid	20
#define ExitPreemptOn	21
#define Free		22
#define GiveBitmap	23
#define FinishFork	24

/* Where a task goes on after it let go of an object. */
#define Nothing		0
#define Exited		1
#define ForkFailed	2

/* Phases of the update of a TSS. */
#define Settled		0
#define Compare		1
#define Copy		2
#define Recording	3
#define Valid		4

/* CPUs. Pointers are the number of a slot plus one. */
byte cur[2] = IDLE;
byte phase[2];
bool off[2];		/* preemption */
bool base[2];
byte perm[2];		/* ports permitted by the copy in the TSS */
byte max[2];
byte last[2];
byte last_number[2];

/* Tasks. */
byte at[2];
byte bitmap[2];
byte mine[2];
byte old[2];
bool tif[2];
bool worker[2];
byte value[2];		/* a port, a number of bytes, or a child */
bool on[2];
byte tss[2];
byte after[2];
byte granted[2];

/* Objects. */
bool alive[2];
byte o_perm[2];
byte o_max[2];
byte number[2];
byte counter;

/* Arrays cannot begin with different values, so there is one state and one step more than in the Rust model. */
bool started;

/* For use within a step only. */
hidden byte me;
hidden byte kid;
hidden byte slot;
hidden byte width;
hidden byte old_tif;
hidden byte new_tif;

#define ME		cur[_pid]
#define RUNS		(phase[_pid] == Settled && ME != IDLE)
#define IN_CALL(t)	(at[t] >= Allocate && at[t] <= PreemptOn)
#define MAY_CALL	(counter + IN_CALL(0) + IN_CALL(1) < CALLS)
#define NEEDS_OBJECT	(bitmap[ME] == 0 && on[ME])
#define CHILD_COPIES	(tif[ME] && !worker[value[ME]])
#define REMEMBERED(s)	(last[0] == (s) + 1 || last[1] == (s) + 1)
#define MAY_RETURN_0	(!alive[0])
#define MAY_RETURN_1	(!alive[1] && (REMEMBERED(1) || alive[0] || REMEMBERED(0)))
#define SLEEPS		(at[ME] == Kernel || at[ME] == Dead || at[ME] == Allocate || at[ME] == GiveBitmap)
#define MAY_LEAVE	(phase[_pid] == Settled && !off[_pid])
#define MAY_RUN(t)	(cur[0] != t && cur[1] != t && at[t] != Unborn && at[t] != Forked)
#define NO_CHOICE	((at[ME] >= PreemptOff && at[ME] <= Free) || (at[ME] == Kernel && !worker[ME]) || \
			 (at[ME] == Allocate && !NEEDS_OBJECT) || (at[ME] == GiveBitmap && !CHILD_COPIES))

/* The two main claims: user mode may touch exactly what it was granted. */
#define TOUCHABLE(c)	(base[c] -> perm[c] : 0)
#define RIGHT(c)	(cur[c] == IDLE || at[cur[c]] != User || TOUCHABLE(c) == granted[cur[c]])

inline check()
{
	assert(RIGHT(0) && RIGHT(1))
}

inline bury(t)
{
	at[t] = Unborn; bitmap[t] = 0; mine[t] = 0; old[t] = 0; tif[t] = 0; worker[t] = 0;
	value[t] = 0; on[t] = 0; tss[t] = 0; after[t] = 0; granted[t] = 0
}

inline finish_call()
{
	mine[me] = 0; value[me] = 0; on[me] = 0; tss[me] = 0; after[me] = 0; at[me] = Kernel
}

inline grant()
{
	if
	:: on[me] -> granted[me] = granted[me] | (1 << value[me])
	:: else -> granted[me] = granted[me] & ~(1 << value[me])
	fi
}

inline copy_into(c)
{
	width = (o_max[slot] > max[c] -> o_max[slot] : max[c]);
	perm[c] = (perm[c] & ~((1 << width) - 1)) | (o_perm[slot] & ((1 << width) - 1))
}

inline record_in(c, pointer)
{
	max[c] = o_max[slot]; last_number[c] = number[slot]; last[c] = pointer
}

inline gone()
{
	old[me] = 0;
	if
	:: after[me] == Exited -> after[me] = Nothing; worker[me] = 0; at[me] = Dead
	:: else -> kid = value[me]; bury(kid); finish_call()
	fi
}

inline switch_to(t)
{
	me = ME;
	old_tif = (me == IDLE -> 0 : tif[me % 2]);
	new_tif = (t == IDLE -> 0 : tif[t % 2]);
	if
	:: me != IDLE && at[me % 2] == Dead -> bury(me)
	:: else
	fi;
	ME = t;
	if
	:: new_tif -> phase[_pid] = Compare
	:: !new_tif && old_tif -> base[_pid] = 0
	:: else
	fi;
	check()
}

inline call(port, grants)
{
	me = ME; value[me] = port; on[me] = grants; at[me] = Allocate; check()
}

inline take(s)
{
	me = ME; alive[s] = 1; o_perm[s] = 0; o_max[s] = 0; number[s] = 0;
	mine[me] = s + 1; grant(); at[me] = PreemptOff; check()
}

inline fork(is_worker)
{
	me = ME; kid = 1 - me;
	at[kid] = Forked; worker[kid] = is_worker; granted[kid] = (is_worker -> 0 : granted[me]);
	value[me] = kid; at[me] = GiveBitmap; check()
}

inline give(s)
{
	me = ME; slot = bitmap[me] - 1; kid = value[me];
	alive[s] = 1; o_perm[s] = o_perm[slot]; o_max[s] = o_max[slot]; number[s] = number[slot];
	bitmap[kid] = s + 1; tif[kid] = 1; at[me] = FinishFork; check()
}

active [2] proctype Cpu()
{
end:	do
	:: d_step { !started && _pid == 0 -> started = 1; cur[0] = 0; at[0] = User }

	/* U1 to U4. */
	:: d_step { phase[_pid] != Settled ->
		me = ME; slot = bitmap[me] - 1;
		if
		:: phase[_pid] == Compare ->
			phase[_pid] = (last[_pid] == bitmap[me] && last_number[_pid] == number[slot] -> Valid : Copy)
		:: phase[_pid] == Copy -> copy_into(_pid); phase[_pid] = Recording
		:: phase[_pid] == Recording -> record_in(_pid, bitmap[me]); phase[_pid] = Valid
		:: phase[_pid] == Valid -> base[_pid] = 1; phase[_pid] = Settled
		fi;
		check() }

	/* Whatever the current task does when it has no choice. */
	:: d_step { RUNS && NO_CHOICE ->
		me = ME;
		if
		:: at[me] == Kernel -> at[me] = User
		:: at[me] == Allocate ->
			grant();
			if
			:: bitmap[me] == 0 -> finish_call()
			:: else -> mine[me] = bitmap[me]; at[me] = PreemptOff
			fi
		:: at[me] == PreemptOff -> tss[me] = _pid; off[_pid] = 1; at[me] = ChangeBit
		:: at[me] == ChangeBit ->
			slot = mine[me] - 1;
			if
			:: on[me] -> o_perm[slot] = o_perm[slot] | (1 << value[me])
			:: else -> o_perm[slot] = o_perm[slot] & ~(1 << value[me])
			fi;
			value[me] = 0; on[me] = 0; at[me] = FindMax
		:: at[me] == FindMax ->
			slot = mine[me] - 1; value[me] = (o_perm[slot] & 2 -> 2 : 1); at[me] = StoreMax
		:: at[me] == StoreMax -> slot = mine[me] - 1; o_max[slot] = value[me]; value[me] = 0; at[me] = TakeNumber
		:: at[me] == TakeNumber ->
			slot = mine[me] - 1; counter = counter + 1; number[slot] = counter; at[me] = CopyToTss
		:: at[me] == CopyToTss -> slot = mine[me] - 1; copy_into(tss[me]); at[me] = Record
		:: at[me] == Record -> slot = mine[me] - 1; record_in(tss[me], mine[me]); at[me] = StorePointer
		:: at[me] == StorePointer -> bitmap[me] = mine[me]; at[me] = SetFlag
		:: at[me] == SetFlag -> tif[me] = 1; at[me] = BaseValid
		:: at[me] == BaseValid -> base[tss[me]] = 1; at[me] = PreemptOn
		:: at[me] == PreemptOn -> off[_pid] = 0; finish_call()
		:: at[me] == ExitPreemptOff -> off[_pid] = 1; at[me] = ClearPointer
		:: at[me] == ClearPointer -> old[me] = bitmap[me]; bitmap[me] = 0; at[me] = ClearFlag
		:: at[me] == ClearFlag -> tif[me] = 0; at[me] = BaseInvalid
		:: at[me] == BaseInvalid -> base[_pid] = 0; at[me] = ExitPreemptOn
		:: at[me] == ExitPreemptOn -> off[_pid] = 0; at[me] = Free
		:: at[me] == Free ->
			slot = old[me] - 1; alive[slot] = 0; o_perm[slot] = 0; o_max[slot] = 0; number[slot] = 0; gone()
		:: at[me] == GiveBitmap -> at[me] = FinishFork
		fi;
		check() }

	/* User mode. */
	:: d_step { RUNS && at[ME] == User -> at[ME] = Kernel; check() }
	:: d_step { RUNS && at[ME] == User && MAY_CALL -> call(0, 0) }
	:: d_step { RUNS && at[ME] == User && MAY_CALL -> call(0, 1) }
	:: d_step { RUNS && at[ME] == User && MAY_CALL -> call(1, 0) }
	:: d_step { RUNS && at[ME] == User && MAY_CALL -> call(1, 1) }
	:: d_step { RUNS && at[ME] == User && at[1 - ME] == Unborn -> fork(0) }
	:: d_step { RUNS && (at[ME] == User || (at[ME] == Kernel && worker[ME])) && at[1 - ME] == Unborn -> fork(1) }
	:: d_step { RUNS && (at[ME] == User || (at[ME] == Kernel && worker[ME])) ->
		me = ME; granted[me] = 0;
		if
		:: bitmap[me] == 0 -> at[me] = Dead
		:: else -> after[me] = Exited; at[me] = ExitPreemptOff
		fi;
		check() }

	/* Allocations. */
	:: d_step { RUNS && at[ME] == Allocate && NEEDS_OBJECT -> me = ME; finish_call(); check() }
	:: d_step { RUNS && at[ME] == Allocate && NEEDS_OBJECT && MAY_RETURN_0 -> take(0) }
	:: d_step { RUNS && at[ME] == Allocate && NEEDS_OBJECT && MAY_RETURN_1 -> take(1) }
	:: d_step { RUNS && at[ME] == GiveBitmap && CHILD_COPIES ->
		me = ME; kid = value[me]; bury(kid); finish_call(); check() }
	:: d_step { RUNS && at[ME] == GiveBitmap && CHILD_COPIES && MAY_RETURN_0 -> give(0) }
	:: d_step { RUNS && at[ME] == GiveBitmap && CHILD_COPIES && MAY_RETURN_1 -> give(1) }

	/* The end of fork(). */
	:: d_step { RUNS && at[ME] == FinishFork -> me = ME; at[value[me]] = Kernel; finish_call(); check() }
	:: d_step { RUNS && at[ME] == FinishFork ->
		me = ME; kid = value[me]; after[me] = ForkFailed;
		if
		:: bitmap[kid] == 0 -> gone()
		:: else -> old[me] = bitmap[kid]; bitmap[kid] = 0; tif[kid] = 0; at[me] = Free
		fi;
		check() }

	/* The scheduler. */
	:: d_step { MAY_LEAVE && MAY_RUN(0) && (ME == IDLE || at[ME] != User) -> switch_to(0) }
	:: d_step { MAY_LEAVE && MAY_RUN(1) && (ME == IDLE || at[ME] != User) -> switch_to(1) }
	:: d_step { MAY_LEAVE && ME != IDLE && SLEEPS -> switch_to(IDLE) }
	od
}
