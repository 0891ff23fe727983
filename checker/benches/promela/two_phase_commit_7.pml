/*
 * Two-phase commit with 7 resource managers (RMs) for SPIN: the twin of tests/examples/two_phase_commit.rs,
 * with the same distinct states and transitions. All initial values are zero, so nothing is added.
 */

#define RMS		7
#define ALL		127

#define Working		0
#define Prepared	1
#define Committed	2
#define Aborted		3

byte tm;		/* Working (that is, waiting), Committed or Aborted */
byte rm[RMS];
byte known;		/* the RMs from which the TM knows that they are prepared */
byte sent;		/* the RMs that have sent "prepared" */

/* The claim "consistent". */
#define IS(i, what)	(rm[i] == what)
#define SOME(what)	(IS(0, what) || IS(1, what) || IS(2, what) || IS(3, what) || IS(4, what) || IS(5, what) || IS(6, what))

inline check()
{
	assert(!(SOME(Aborted) && SOME(Committed)))
}

active proctype Manager()
{
end:	do
	:: d_step { tm == Working && known == ALL -> tm = Committed; check() }
	:: d_step { tm == Working -> tm = Aborted; check() }
	od
}

active [RMS] proctype Resource()
{
end:	do
	:: d_step { tm == Working && (sent & (1 << (_pid - 1))) -> known = known | (1 << (_pid - 1)); check() }
	:: d_step { rm[_pid - 1] == Working -> rm[_pid - 1] = Prepared; sent = sent | (1 << (_pid - 1)); check() }
	:: d_step { rm[_pid - 1] == Working -> rm[_pid - 1] = Aborted; check() }
	:: d_step { tm == Committed -> rm[_pid - 1] = Committed; check() }
	:: d_step { tm == Aborted -> rm[_pid - 1] = Aborted; check() }
	od
}
