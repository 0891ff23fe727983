/*
 * The io-bitmap mechanism once more, for SPIN: variant `mainline-v2-scope` of models/src/io_bitmap, at the size
 * cpus=2,tasks=2,ports=2,objects=2,calls=3,workers=0,unprivileged=0.
 *
 * This twin exists for one comparison of speed and memory, and as a third opinion on the number of states:
 * distinct states and transitions must be the same as the exact engine's. It is not another copy of the
 * protocol for anybody to read; where the two differ, the Rust model is right.
 *
 * Every step is one d_step that begins and ends at the head of the loop of its CPU, so that SPIN has no
 * states of its own. Steps that a task takes when there is no choice share one d_step, because SPIN tries all
 * alternatives of a loop one after the other. Fields that this variant never changes are left out; so are its
 * stops at a null pointer or a freed object, which assert() takes for errors (there are none).
 */

#define IDLE		3
#define CALLS		3

/* Places of a task. Calls of ioperm() that may still take a number are those from Allocate to Duplicate, and
   those that let go of an object before they store the pointer to the duplicate. */
#define Unborn		0
#define Forked		1
#define User		2
#define Kernel		3
#define ToUser		4
#define Dead		5
#define Allocate	6
#define ReadCount	7
#define StorePointer	8
#define SetFlag		9
#define ChangeBit	10
#define FindMax		11
#define StoreMax	12
#define TakeNumber	13
#define Duplicate	14
#define ExitPreemptOff	15
#define ClearPointer	16
#define ClearFlag	17
#define BaseInvalid	18
#define ExitPreemptOn	19
#define DropReference	20
#define Free		21
#define GiveBitmap	22
#define FinishFork	23

/* Where a task goes on after it let go of an object. */
#define Nothing		0
#define Duplicated	1
#define Returned	2
#define Exited		3
#define ForkFailed	4

/* Phases of the update of a TSS. */
#define Settled		0
#define Compare		1
#define Copy		2
#define Record		3
#define Valid		4

/* CPUs. Pointers are the number of a slot plus one. */
byte cur[2] = IDLE;
byte phase[2];
bool off[2];		/* preemption */
bool base[2];
byte perm[2];		/* ports permitted by the copy in the TSS */
byte max[2];
byte last_number[2];

/* Tasks. */
byte at[2];
byte bitmap[2];
byte mine[2];
byte old[2];
bool tif[2];
byte value[2];		/* a port, a number of bytes, or a child */
bool on[2];
byte after[2];
byte granted[2];

/* Objects. One is allocated as long as it has references, or waits for Free. */
bool alive[2];
byte o_perm[2];
byte o_max[2];
byte number[2];
byte references[2];
byte counter;

/* Arrays cannot begin with different values, so there is one state and one step more than in the Rust model. */
bool started;

/* For use within a step only. */
hidden byte me;
hidden byte kid;
hidden byte slot;
hidden byte width;
hidden byte left_tif;

#define ME		cur[_pid]
#define RUNS		(phase[_pid] == Settled && ME != IDLE)
#define IN_CALL(t)	((at[t] >= Allocate && at[t] <= Duplicate) || after[t] == Duplicated)
#define MAY_CALL	(counter + IN_CALL(0) + IN_CALL(1) < CALLS)
#define NEEDS_OBJECT	(bitmap[ME] == 0 && on[ME])
#define SLEEPS		(at[ME] == Kernel || at[ME] == Dead || at[ME] == Allocate || at[ME] == Duplicate || at[ME] == GiveBitmap)
#define MAY_LEAVE	(phase[_pid] == Settled && !off[_pid])
#define MAY_RUN(t)	(cur[0] != t && cur[1] != t && at[t] != Unborn && at[t] != Forked)
#define NO_CHOICE	(at[ME] == Kernel || (at[ME] >= ReadCount && at[ME] <= TakeNumber) || \
			 (at[ME] >= ExitPreemptOff && at[ME] <= GiveBitmap) || (at[ME] == Allocate && !NEEDS_OBJECT))

/* The two main claims: user mode may touch exactly what it was granted. */
#define TOUCHABLE(c)	(base[c] -> perm[c] : 0)
#define RIGHT(c)	(cur[c] == IDLE || at[cur[c]] != User || TOUCHABLE(c) == granted[cur[c]])

inline check()
{
	assert(RIGHT(0) && RIGHT(1))
}

inline bury(t)
{
	at[t] = Unborn; bitmap[t] = 0; mine[t] = 0; old[t] = 0; tif[t] = 0;
	value[t] = 0; on[t] = 0; after[t] = 0; granted[t] = 0
}

inline object(pointer)
{
	assert(pointer != 0 && alive[pointer - 1]);
	slot = pointer - 1
}

inline finish_call()
{
	mine[me] = 0; value[me] = 0; on[me] = 0; after[me] = 0; at[me] = Kernel
}

inline grant()
{
	if
	:: on[me] -> granted[me] = granted[me] | (1 << value[me])
	:: else -> granted[me] = granted[me] & ~(1 << value[me])
	fi
}

inline let_go(then)
{
	after[me] = then; at[me] = ExitPreemptOff
}

inline gone()
{
	old[me] = 0;
	if
	:: after[me] == Duplicated -> after[me] = Nothing; at[me] = StorePointer
	:: after[me] == Returned -> finish_call()
	:: after[me] == Exited -> after[me] = Nothing; at[me] = Dead
	:: after[me] == ForkFailed -> kid = value[me]; bury(kid); finish_call()
	fi
}

inline switch_to(t)
{
	me = ME;
	left_tif = (me == IDLE -> 0 : tif[me % 2]);
	if
	:: me != IDLE && at[me % 2] == Dead -> bury(me)
	:: else
	fi;
	ME = t;
	if
	:: left_tif -> base[_pid] = 0
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
	me = ME; alive[s] = 1; o_perm[s] = 0; o_max[s] = 0; number[s] = 0; references[s] = 1;
	mine[me] = s + 1; at[me] = ReadCount; check()
}

inline duplicate(s)
{
	me = ME; object(mine[me]);
	alive[s] = 1; o_perm[s] = o_perm[slot]; o_max[s] = o_max[slot]; number[s] = number[slot]; references[s] = 1;
	mine[me] = s + 1; grant(); let_go(Duplicated); check()
}

active [2] proctype Cpu()
{
end:	do
	:: d_step { !started && _pid == 0 -> started = 1; cur[0] = 0; at[0] = User }

	/* U1 to U4. */
	:: d_step { phase[_pid] != Settled ->
		me = ME; object(bitmap[me]);
		if
		:: phase[_pid] == Compare -> phase[_pid] = (last_number[_pid] == number[slot] -> Valid : Copy)
		:: phase[_pid] == Copy ->
			width = (o_max[slot] > max[_pid] -> o_max[slot] : max[_pid]);
			perm[_pid] = (perm[_pid] & ~((1 << width) - 1)) | (o_perm[slot] & ((1 << width) - 1));
			phase[_pid] = Record
		:: phase[_pid] == Record ->
			max[_pid] = o_max[slot]; last_number[_pid] = number[slot]; phase[_pid] = Valid
		:: phase[_pid] == Valid -> base[_pid] = 1; phase[_pid] = Settled; at[me] = User
		fi;
		check() }

	/* Whatever the current task does when it has no choice. */
	:: d_step { RUNS && NO_CHOICE ->
		me = ME;
		if
		:: at[me] == Kernel ->
			if
			:: tif[me] -> at[me] = ToUser; phase[_pid] = Compare
			:: else -> at[me] = User
			fi
		:: at[me] == Allocate ->
			if
			:: bitmap[me] == 0 -> grant(); finish_call()
			:: else -> mine[me] = bitmap[me]; at[me] = ReadCount
			fi
		:: at[me] == ReadCount ->
			object(mine[me]);
			if
			:: references[slot] > 1 -> at[me] = Duplicate
			:: else -> grant(); at[me] = StorePointer
			fi
		:: at[me] == StorePointer -> bitmap[me] = mine[me]; at[me] = SetFlag
		:: at[me] == SetFlag -> tif[me] = 1; at[me] = ChangeBit
		:: at[me] == ChangeBit ->
			object(mine[me]);
			if
			:: on[me] -> o_perm[slot] = o_perm[slot] | (1 << value[me])
			:: else -> o_perm[slot] = o_perm[slot] & ~(1 << value[me])
			fi;
			value[me] = 0; on[me] = 0; at[me] = FindMax
		:: at[me] == FindMax ->
			object(mine[me]);
			if
			:: o_perm[slot] == 0 -> mine[me] = 0; let_go(Returned)
			:: else -> value[me] = (o_perm[slot] & 2 -> 2 : 1); at[me] = StoreMax
			fi
		:: at[me] == StoreMax -> object(mine[me]); o_max[slot] = value[me]; value[me] = 0; at[me] = TakeNumber
		:: at[me] == TakeNumber ->
			object(mine[me]); counter = counter + 1; number[slot] = counter; finish_call()
		:: at[me] == ExitPreemptOff -> off[_pid] = 1; at[me] = ClearPointer
		:: at[me] == ClearPointer -> old[me] = bitmap[me]; bitmap[me] = 0; at[me] = ClearFlag
		:: at[me] == ClearFlag -> tif[me] = 0; at[me] = BaseInvalid
		:: at[me] == BaseInvalid -> base[_pid] = 0; at[me] = ExitPreemptOn
		:: at[me] == ExitPreemptOn -> off[_pid] = 0; at[me] = DropReference
		:: at[me] == DropReference ->
			object(old[me]); references[slot] = references[slot] - 1;
			if
			:: references[slot] == 0 -> at[me] = Free
			:: else -> gone()
			fi
		:: at[me] == Free ->
			object(old[me]); alive[slot] = 0; o_perm[slot] = 0; o_max[slot] = 0; number[slot] = 0; gone()
		:: at[me] == GiveBitmap ->
			if
			:: tif[me] ->
				object(bitmap[me]); kid = value[me];
				references[slot] = references[slot] + 1; bitmap[kid] = bitmap[me]; tif[kid] = 1
			:: else
			fi;
			at[me] = FinishFork
		fi;
		check() }

	/* User mode. */
	:: d_step { RUNS && at[ME] == User -> at[ME] = Kernel; check() }
	:: d_step { RUNS && at[ME] == User && MAY_CALL -> call(0, 0) }
	:: d_step { RUNS && at[ME] == User && MAY_CALL -> call(0, 1) }
	:: d_step { RUNS && at[ME] == User && MAY_CALL -> call(1, 0) }
	:: d_step { RUNS && at[ME] == User && MAY_CALL -> call(1, 1) }
	:: d_step { RUNS && at[ME] == User && at[1 - ME] == Unborn ->
		me = ME; kid = 1 - me;
		at[kid] = Forked; granted[kid] = granted[me]; value[me] = kid; at[me] = GiveBitmap; check() }
	:: d_step { RUNS && at[ME] == User ->
		me = ME; granted[me] = 0;
		if
		:: tif[me] -> let_go(Exited)
		:: else -> at[me] = Dead
		fi;
		check() }

	/* Allocations. Nobody compares addresses here, so the lowest free slot stands for all. */
	:: d_step { RUNS && ((at[ME] == Allocate && NEEDS_OBJECT) || at[ME] == Duplicate) -> me = ME; finish_call(); check() }
	:: d_step { RUNS && at[ME] == Allocate && NEEDS_OBJECT && !alive[0] -> take(0) }
	:: d_step { RUNS && at[ME] == Allocate && NEEDS_OBJECT && alive[0] && !alive[1] -> take(1) }
	:: d_step { RUNS && at[ME] == Duplicate && !alive[0] -> duplicate(0) }
	:: d_step { RUNS && at[ME] == Duplicate && alive[0] && !alive[1] -> duplicate(1) }

	/* The end of fork(). */
	:: d_step { RUNS && at[ME] == FinishFork -> me = ME; at[value[me]] = Kernel; finish_call(); check() }
	:: d_step { RUNS && at[ME] == FinishFork ->
		me = ME; kid = value[me]; after[me] = ForkFailed;
		if
		:: tif[kid] -> old[me] = bitmap[kid]; bitmap[kid] = 0; tif[kid] = 0; at[me] = DropReference
		:: else -> gone()
		fi;
		check() }

	/* The scheduler. */
	:: d_step { MAY_LEAVE && MAY_RUN(0) && (ME == IDLE || at[ME] != User) -> switch_to(0) }
	:: d_step { MAY_LEAVE && MAY_RUN(1) && (ME == IDLE || at[ME] != User) -> switch_to(1) }
	:: d_step { MAY_LEAVE && ME != IDLE && SLEEPS -> switch_to(IDLE) }
	od
}
