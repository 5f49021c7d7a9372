/* The C contract between the sandbox and its plugins. Generated from plugins/abi; plugins/README.md says how it is
   used. SANDBOX_WRITE=1 cargo test --test it header writes it anew. */
#ifndef SANDBOX_PLUGIN_H
#define SANDBOX_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifndef DLPACK_DLPACK_H_
/* DLPack's view of a tensor, as dlpack.h 1.x lays it out. Include that header before this one to use both. */
typedef struct DLDevice {
  int32_t device_type; /* SBX_DL_CPU or SBX_DL_CUDA */
  int32_t device_id;   /* which one, counted from 0 */
} DLDevice;

typedef struct DLDataType {
  uint8_t code; /* SBX_DL_INT, SBX_DL_FLOAT or SBX_DL_BOOL */
  uint8_t bits; /* bits of an element: 64 for labels and rows, 32 for features, 8 for booleans */
  uint16_t lanes; /* 1 */
} DLDataType;

typedef struct DLTensor {
  void *data;     /* the first element is byte_offset bytes behind */
  DLDevice device;
  int32_t ndim;   /* number of dimensions; 0 for a single number */
  DLDataType dtype;
  int64_t *shape;   /* ndim sizes */
  int64_t *strides; /* ndim distances between neighbours, in elements; never null here */
  uint64_t byte_offset; /* 0 here */
} DLTensor;
#endif

/* What SbxPlugin.layout must say. */
#define SBX_LAYOUT UINT64_C(0xfd0c7bf99652f13e)

/*
 Raised when a field changes its meaning or its place: plugins have to be built anew.
 */
#define SBX_ABI_MAJOR 1

/*
 Raised when a field is appended: older plugins go on working.
 */
#define SBX_ABI_MINOR 0

/*
 It worked.
 */
#define SBX_OK 0

/*
 It did not; the plugin has said why with `SbxHost::fail`.
 */
#define SBX_ERROR 1

/*
 From `SbxPlugin::restore` alone: this state is of a version that the plugin does not know, and it has taken nothing of it.
 */
#define SBX_UNSUPPORTED 2

/*
 The plugin panicked, and the panic was caught at its border; the text is that of the panic.
 */
#define SBX_PANIC 3

/*
 The plugin reads and writes memory of the CPU; the host copies where the model lives elsewhere.
 */
#define SBX_DEVICES_CPU 1

/*
 The plugin works on whatever device a tensor names; nothing is copied.
 */
#define SBX_DEVICES_ANY 2

/*
 For `SbxHost::log`: shown only where it is asked for.
 */
#define SBX_LOG_DEBUG 0

/*
 For `SbxHost::log`: shown.
 */
#define SBX_LOG_INFO 1

/*
 For `SbxHost::log`: shown as a warning.
 */
#define SBX_LOG_WARN 2

/*
 `DLDevice::device_type` of the CPU.
 */
#define SBX_DL_CPU 1

/*
 `DLDevice::device_type` of an NVIDIA GPU.
 */
#define SBX_DL_CUDA 2

/*
 `DLDataType::code` of signed integers.
 */
#define SBX_DL_INT 0

/*
 `DLDataType::code` of floating point numbers.
 */
#define SBX_DL_FLOAT 2

/*
 `DLDataType::code` of booleans, a byte each.
 */
#define SBX_DL_BOOL 6

/*
 Slot `labels`: how pseudo-labels are made and kept.
 */
#define SBX_SLOT_LABELS 1

/*
 Slot `sampler`: which rows of the bank are a query's positives and its negatives.
 */
#define SBX_SLOT_SAMPLER 2

/*
 Slot `boundary`: how far positives must lie from negatives, as logits or as a loss.
 */
#define SBX_SLOT_BOUNDARY 3

/*
 Slot `novelty`: whether a frame of a stream is new, or belongs to a prototype that there is.
 */
#define SBX_SLOT_NOVELTY 4

/*
 Slot `prototypes`: where a frame of a stream is written: how much of it each prototype takes, and which one makes room for it where it is new.
 */
#define SBX_SLOT_PROTOTYPES 5

/*
 `SbxValue::kind` of a whole number.
 */
#define SBX_INT 1

/*
 `SbxValue::kind` of a number with a fraction.
 */
#define SBX_FLOAT 2

/*
 `SbxValue::kind` of true or false.
 */
#define SBX_BOOL 3

/*
 `SbxValue::kind` of a text.
 */
#define SBX_TEXT 4

/*
 The value of a parameter. A parameter whose default is a number may be given either kind of number, so a plugin can tell
 a count (3) from a fraction (0.3); every other one keeps the kind of its default.
 */
typedef struct SbxValue {
  /*
   `SBX_INT`, `SBX_FLOAT`, `SBX_BOOL` or `SBX_TEXT`.
   */
  uint32_t kind;
  /*
   0.
   */
  uint32_t reserved;
  /*
   The whole number, or 0 and 1 for false and true; else 0.
   */
  int64_t integer;
  /*
   The number, of both kinds; else 0.
   */
  double number;
  /*
   The text, UTF-8 with a zero at its end; else null.
   */
  const char *text;
} SbxValue;

/*
 A parameter as a plugin declares it. A configuration sets it by `SLOT.NAME`.
 */
typedef struct SbxParam {
  /*
   Its name: a letter, then letters, digits and `_`.
   */
  const char *name;
  /*
   What it means, in a line.
   */
  const char *doc;
  /*
   Its value where the configuration says nothing.
   */
  struct SbxValue initial;
} SbxParam;

/*
 When a call is made.
 */
typedef struct SbxNow {
  /*
   Optimiser steps done before this one.
   */
  uint64_t step;
  /*
   Epochs done before this one.
   */
  uint64_t epoch;
  /*
   Steps that the whole run will take.
   */
  uint64_t steps;
  /*
   Steps of one epoch.
   */
  uint64_t steps_per_epoch;
} SbxNow;

/*
 What the host offers a plugin during one call. Guard of all its functions: *in a call*.
 */
typedef struct SbxHost {
  /*
   Bytes of this table as the host knows it: a field behind them does not exist.
   */
  uint64_t struct_size;
  /*
   The host's own.
   */
  void *context;
  /*
   When the call is made.
   */
  struct SbxNow now;
  /*
   Rows of the bank, of which fractions are taken.
   */
  int64_t rows;
  /*
   Where the inputs and outputs of this call live.
   */
  DLDevice device;
  /*
   The `cudaStream_t` on which they are ordered: kernels are enqueued there, and need not be waited for. Null is CUDA's
   default stream, and says nothing on the CPU.
   */
  void *stream;
  /*
   The same in each repetition of this call, another for each step and slot: for a generator of the plugin's own.
   */
  uint64_t seed;
  /*
   The input of that name, or null where the slot has none. The first call may compute it. Inputs are read, never written.
   */
  const DLTensor *(*input)(const struct SbxHost *host, const char *name);
  /*
   The number of that name among the inputs, or NaN where the slot has none.
   */
  double (*number)(const struct SbxHost *host, const char *name);
  /*
   The tensor in which the answer of that name is given: the host's memory, contiguous, of the element type that the slot asks
   for, filled with -1 or NaN. Null where the slot takes no such answer or no such shape; the host has then noted why, and the
   function returns `SBX_ERROR`. Asked twice, the second tensor counts.
   */
  DLTensor *(*output)(const struct SbxHost *host, const char *name, int32_t ndim, const int64_t *shape);
  /*
   Fills `out` with `count` numbers drawn evenly from 0 to 1, 1 excluded, of the run's own stream for this step and slot: the
   numbers that a script's `ctx.rng` is made of. Returns a status.
   */
  int32_t (*uniform)(const struct SbxHost *host, double *out, uint64_t count);
  /*
   Writes a line, UTF-8 of `len` bytes, into the run's log, with its level (`SBX_LOG_INFO`).
   */
  void (*log)(const struct SbxHost *host, int32_t level, const char *text, uint64_t len);
  /*
   Says why the function is about to return something else than `SBX_OK`, in UTF-8 of `len` bytes.
   */
  void (*fail)(const struct SbxHost *host, const char *text, uint64_t len);
  /*
   Appends `len` bytes to the state that `SbxPlugin::save` gives. Returns a status.
   */
  int32_t (*emit)(const struct SbxHost *host, const uint8_t *data, uint64_t len);
} SbxHost;

/*
 A question of the training loop to an instance: it reads what it needs through `host`, and answers through it.

 Guard: training thread. `instance` is the plugin's, from `create`. May fail: with a status other than `SBX_OK`, after
 `SbxHost::fail`; the last good generation then decides the same step, and the instance is destroyed.
 */
typedef int32_t (*SbxAsk)(void *instance, const struct SbxHost *host);

/*
 A plugin. The table and all that it points to stay as they are for as long as the process lives: no library is ever unloaded.
 */
typedef struct SbxPlugin {
  /*
   Bytes of this table as the plugin knows it: the host reads nothing behind them.
   */
  uint64_t struct_size;
  /*
   `SBX_ABI_MAJOR` of the header that the plugin was built with.
   */
  uint32_t abi_major;
  /*
   `SBX_ABI_MINOR` of that header.
   */
  uint32_t abi_minor;
  /*
   `SBX_LAYOUT` of that header.
   */
  uint64_t layout;
  /*
   `SBX_SLOT_SAMPLER` or another slot.
   */
  uint32_t slot;
  /*
   `SBX_DEVICES_CPU` or `SBX_DEVICES_ANY`.
   */
  uint32_t devices;
  /*
   The policy's name, UTF-8 with a zero at its end, as the other texts.
   */
  const char *name;
  /*
   The policy's version, for people.
   */
  const char *version;
  /*
   What it does, in a line.
   */
  const char *doc;
  /*
   The version of the state that `save` gives, from 1 on; 0 for a policy without state.
   */
  uint32_t state_version;
  /*
   Number of `params`.
   */
  uint32_t param_count;
  /*
   The parameters, in the order in which `create` gets their values. Null where there are none.
   */
  const struct SbxParam *params;
  /*
   Makes an instance, with a value for each parameter, and puts it into `instance`; it may be null for a policy that needs
   nothing. Guard: training thread. `values` are borrowed. Required. May fail; then nothing is destroyed.
   */
  int32_t (*create)(const struct SbxHost *host, const struct SbxValue *values, void **instance);
  /*
   Frees an instance. Guard: training thread; nothing is asked of the instance afterwards, and none of its threads may be left.
   Required. Does not fail.
   */
  void (*destroy)(void *instance);
  /*
   `labels` alone, and required there: the first labels of all images. Input `features` `[N, D]`; answers `labels` `[N]` and
   `centroids` `[C, D]`.
   */
  SbxAsk start;
  /*
   Required: the slot's question, once a step. See `plugins/README.md` for the inputs and answers of each slot.
   */
  SbxAsk decide;
  /*
   `labels` alone, or null: what to change after a step.
   */
  SbxAsk after_step;
  /*
   `labels` alone, or null: what to change after an epoch.
   */
  SbxAsk after_epoch;
  /*
   Gives the instance's state in as many pieces as it likes through `SbxHost::emit`. Guard: training thread, between two steps.
   Null exactly where `state_version` is 0. May fail.
   */
  SbxAsk save;
  /*
   Takes a state of `len` bytes that `save` gave, of this or another version of the plugin, into an instance that was asked
   nothing yet. Version 0 is the state of a script, as safetensors. `data` is borrowed. `SBX_UNSUPPORTED` for a version that it
   does not know: the instance begins anew then. Guard: training thread. May be null where `save` is. May fail.
   */
  int32_t (*restore)(void *instance, const struct SbxHost *host, uint32_t version, const uint8_t *data, uint64_t len);
} SbxPlugin;



#if defined(__cplusplus)
#define SBX_ASSERT(holds) static_assert(holds, #holds)
#else
#define SBX_ASSERT(holds) _Static_assert(holds, #holds)
#endif

/* Where each field lies, on a machine with 64-bit pointers: the only ones that the sandbox runs on. */
SBX_ASSERT(sizeof(DLDevice) == 8);
SBX_ASSERT(offsetof(DLDevice, device_type) == 0);
SBX_ASSERT(offsetof(DLDevice, device_id) == 4);
SBX_ASSERT(sizeof(DLDataType) == 4);
SBX_ASSERT(offsetof(DLDataType, code) == 0);
SBX_ASSERT(offsetof(DLDataType, bits) == 1);
SBX_ASSERT(offsetof(DLDataType, lanes) == 2);
SBX_ASSERT(sizeof(DLTensor) == 48);
SBX_ASSERT(offsetof(DLTensor, data) == 0);
SBX_ASSERT(offsetof(DLTensor, device) == 8);
SBX_ASSERT(offsetof(DLTensor, ndim) == 16);
SBX_ASSERT(offsetof(DLTensor, dtype) == 20);
SBX_ASSERT(offsetof(DLTensor, shape) == 24);
SBX_ASSERT(offsetof(DLTensor, strides) == 32);
SBX_ASSERT(offsetof(DLTensor, byte_offset) == 40);
SBX_ASSERT(sizeof(SbxValue) == 32);
SBX_ASSERT(offsetof(SbxValue, kind) == 0);
SBX_ASSERT(offsetof(SbxValue, reserved) == 4);
SBX_ASSERT(offsetof(SbxValue, integer) == 8);
SBX_ASSERT(offsetof(SbxValue, number) == 16);
SBX_ASSERT(offsetof(SbxValue, text) == 24);
SBX_ASSERT(sizeof(SbxParam) == 48);
SBX_ASSERT(offsetof(SbxParam, name) == 0);
SBX_ASSERT(offsetof(SbxParam, doc) == 8);
SBX_ASSERT(offsetof(SbxParam, initial) == 16);
SBX_ASSERT(sizeof(SbxNow) == 32);
SBX_ASSERT(offsetof(SbxNow, step) == 0);
SBX_ASSERT(offsetof(SbxNow, epoch) == 8);
SBX_ASSERT(offsetof(SbxNow, steps) == 16);
SBX_ASSERT(offsetof(SbxNow, steps_per_epoch) == 24);
SBX_ASSERT(sizeof(SbxHost) == 136);
SBX_ASSERT(offsetof(SbxHost, struct_size) == 0);
SBX_ASSERT(offsetof(SbxHost, context) == 8);
SBX_ASSERT(offsetof(SbxHost, now) == 16);
SBX_ASSERT(offsetof(SbxHost, rows) == 48);
SBX_ASSERT(offsetof(SbxHost, device) == 56);
SBX_ASSERT(offsetof(SbxHost, stream) == 64);
SBX_ASSERT(offsetof(SbxHost, seed) == 72);
SBX_ASSERT(offsetof(SbxHost, input) == 80);
SBX_ASSERT(offsetof(SbxHost, number) == 88);
SBX_ASSERT(offsetof(SbxHost, output) == 96);
SBX_ASSERT(offsetof(SbxHost, uniform) == 104);
SBX_ASSERT(offsetof(SbxHost, log) == 112);
SBX_ASSERT(offsetof(SbxHost, fail) == 120);
SBX_ASSERT(offsetof(SbxHost, emit) == 128);
SBX_ASSERT(sizeof(SbxPlugin) == 136);
SBX_ASSERT(offsetof(SbxPlugin, struct_size) == 0);
SBX_ASSERT(offsetof(SbxPlugin, abi_major) == 8);
SBX_ASSERT(offsetof(SbxPlugin, abi_minor) == 12);
SBX_ASSERT(offsetof(SbxPlugin, layout) == 16);
SBX_ASSERT(offsetof(SbxPlugin, slot) == 24);
SBX_ASSERT(offsetof(SbxPlugin, devices) == 28);
SBX_ASSERT(offsetof(SbxPlugin, name) == 32);
SBX_ASSERT(offsetof(SbxPlugin, version) == 40);
SBX_ASSERT(offsetof(SbxPlugin, doc) == 48);
SBX_ASSERT(offsetof(SbxPlugin, state_version) == 56);
SBX_ASSERT(offsetof(SbxPlugin, param_count) == 60);
SBX_ASSERT(offsetof(SbxPlugin, params) == 64);
SBX_ASSERT(offsetof(SbxPlugin, create) == 72);
SBX_ASSERT(offsetof(SbxPlugin, destroy) == 80);
SBX_ASSERT(offsetof(SbxPlugin, start) == 88);
SBX_ASSERT(offsetof(SbxPlugin, decide) == 96);
SBX_ASSERT(offsetof(SbxPlugin, after_step) == 104);
SBX_ASSERT(offsetof(SbxPlugin, after_epoch) == 112);
SBX_ASSERT(offsetof(SbxPlugin, save) == 120);
SBX_ASSERT(offsetof(SbxPlugin, restore) == 128);

#if defined(__cplusplus)
extern "C" {
#endif

/* The one function that a plugin exports. It returns the same table each time, and never fails. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const SbxPlugin *sandbox_plugin(void);

#if defined(__cplusplus)
}
#endif

#endif /* SANDBOX_PLUGIN_H */
