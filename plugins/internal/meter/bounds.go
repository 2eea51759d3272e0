package meter

// Bounds of a module. Compilers of real languages stay far below them; a Go program has some 20,000 data segments.
const (
	MaxModule       = 64 << 20 // bytes
	MaxCode         = 16 << 20 // bytes of all functions
	MaxTypes        = 10_000
	MaxTypeValues   = 100_000 // parameters and results of all types
	MaxTypeArity    = 1000    // parameters, and results, of one type
	MaxImports      = 1000
	MaxFunctions    = 50_000
	MaxTables       = 16
	MaxTable        = 100_000 // elements of one table, ever, and of all tables at the start
	MaxGlobals      = 10_000
	MaxExports      = 10_000
	MaxElements     = 10_000  // element segments
	MaxElementItems = 200_000 // of all segments
	MaxData         = 100_000 // data segments
)

// Bounds of one function, which keep the time that its compilation takes within a second or two.
const (
	MaxBody           = 256 << 10 // bytes
	MaxLocals         = 2000      // parameters included
	MaxBlocks         = 5000      // block, loop and if; a bulk operation counts as bulkBlocks
	MaxLoops          = 1000
	MaxNesting        = 2000
	MaxLoopNesting    = 64
	MaxTargets        = 20_000  // of all br_table
	MaxBlocksByLocals = 500_000 // the product
	MaxValues         = 100_000 // carried by blocks, branches and calls, beside one each
)

// Bounds of all functions together, which keep the time that a module's compilation takes within ten seconds or so, however many functions it has.
const (
	MaxModuleBlocksByLocals = 10_000_000
	MaxIndirectCalls        = 300_000
	MaxModuleBlocks         = 2_000_000   // a loop counts as one and loopBlocks more
	MaxModuleSquares        = 750_000_000 // of the same, each function's squared: time grows so within a function
)

// loopBlocks is how many blocks more than the loop itself the compiler makes of one, with its countdown.
const loopBlocks = 2

// bulkBlocks is how many blocks the compiler makes of a bulk operation, in round figures.
const bulkBlocks = 4

// Budget is how many units a guest runs between two looks at the stop global. A unit is about unitInstructions instructions, so that this is a fraction of a
// millisecond.
const (
	Budget           = 20_000
	unitInstructions = 16
	unitBytesShift   = 7 // a unit of a bulk memory operation is 128 bytes
	unitRefsShift    = 4 // a unit of a bulk table operation is 16 references
)
