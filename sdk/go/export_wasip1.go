//go:build wasip1

package rmds

//go:wasmexport rmds_init
func exportInit() int32 { return int32(runInit()) }

//go:wasmexport rmds_filter
func exportFilter(bodyLen int32) int32 { return int32(runFilter(bodyLen)) }

//go:wasmexport rmds_handle
func exportHandle(bodyLen int32) int32 { return int32(runHandle(bodyLen)) }

//go:wasmexport rmds_tick
func exportTick(nowMS int64) int32 { return int32(runTick(nowMS)) }

//go:wasmexport rmds_health
func exportHealth() int32 { return int32(runHealth()) }

//go:wasmexport rmds_stop
func exportStop() { runStop() }
