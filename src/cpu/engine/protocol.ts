/** What the interpreter and the CPU around it have agreed on: why it returns, how it asks for storage, handler numbers. */

/** What `run` returns. */
export const EXIT_PENDING = 0;
export const EXIT_PROGRAM = 1;
export const EXIT_LEFT = 2;
export const EXIT_FUEL = 3;
/** A breakpoint is set at the PSW address; its instruction has not been executed. */
export const EXIT_BREAKPOINT = 4;

/** Accesses as they are told to the miss function: size in the upper bits. */
export const ACCESS_FETCH = 0;
export const ACCESS_STORE = 1;
export const ACCESS_INTERLOCKED = 2;
export const ACCESS_INSTRUCTION = 4;
/** Sixteen bytes read and written as one; the only bit of its kind, it implies a store. */
export const ACCESS_WIDE = 8;
export const ACCESS_SIZE_SHIFT = 4;
/** The field after the size: access register number plus one in AR mode, else 0. */
export const ACCESS_AR_SHIFT = 20;

/** Handlers that belong to no instruction. */
export const HANDLER_DECODE = 0;
export const HANDLER_PAGE_END = 1;
export const HANDLER_CROSSING = 2;
export const HANDLER_EXECUTED = 3;
export const HANDLER_BREAKPOINT = 4;
/** A region begins here: the record's second word is its slot in the table. */
export const HANDLER_REGION = 5;
/** The first handler of an instruction. */
export const FIRST_ROW_HANDLER = 6;

/** What a region returns; the PSW has the address of the instruction that is next. It is next without more ado: */
export const REGION_GO_TO = 0;
/** after a program interruption has been recognised: */
export const REGION_FAULT = 1;
/** when what is pending has been dealt with, which was found on the way to another page: */
export const REGION_PENDING = 2;
/** even though a region may begin there. */
export const REGION_INTERPRET = 3;
/** to the region that has called, from which control passes on. Without one it is as GO_TO. */
export const REGION_RETURNED = 4;
/** As PENDING, found on a way backwards or elsewhere on the page. */
export const REGION_LOOPING = 6;
