/* A sampler in a few lines, whose faults are switched on when it is compiled: -DFAULT=n, and -DVERSION=n makes another library of
 * the same rule. A query's positive is its own row, its negatives are the SHIFT next ones of the bank. */
#include <sandbox_plugin.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef FAULT
#define FAULT 0
#endif
#ifndef VERSION
#define VERSION 1
#endif
#ifndef ENTRY
#define ENTRY sandbox_plugin
#endif
#define WIDTH 8
#define STATE 5

enum {
  GOOD,
  NULL_TABLE,
  WRONG_MAJOR,
  NEWER_MINOR,
  WRONG_LAYOUT,
  SHORT_TABLE,
  UNKNOWN_SLOT,
  UNKNOWN_DEVICES,
  NO_NAME,
  NAME_NOT_UTF8,
  NO_CREATE,
  NO_DECIDE,
  NO_SAVE,
  PARAMS_NULL,
  PARAM_WITHOUT_NAME,
  CONSTRUCTOR_DIES,
  SILENT_ERROR,
  ODD_STATUS,
  UNKNOWN_INPUT,
  UNKNOWN_ANSWER,
  CREATE_FAILS,
  STRAYS,
  FORKS
};

static void fail(const SbxHost *host, const char *text) { host->fail(host, text, strlen(text)); }

static int32_t create(const SbxHost *host, const SbxValue *values, void **instance) {
  (void)values;
  if (FAULT == CREATE_FAILS) {
    fail(host, "not on a Tuesday");
    return SBX_ERROR;
  }
  *instance = calloc(1, sizeof(int64_t));
  return *instance ? SBX_OK : SBX_ERROR;
}

static void destroy(void *instance) { free(instance); }

static int32_t decide(void *instance, const SbxHost *host) {
  const DLTensor *index = host->input(host, FAULT == UNKNOWN_INPUT ? "indices" : "index");
  if (!index) return SBX_ERROR;
  if (FAULT == SILENT_ERROR) return SBX_ERROR;
  if (FAULT == ODD_STATUS) return 42;
  int64_t batch = index->shape[0];
  int64_t width = host->rows < WIDTH ? host->rows : WIDTH;
  int64_t one[2] = {batch, 1}, some[2] = {batch, width};
  DLTensor *positives = host->output(host, "positives", 2, one);
  DLTensor *negatives = host->output(host, FAULT == UNKNOWN_ANSWER ? "negative" : "negatives", 2, some);
  if (!positives || !negatives) return SBX_ERROR;
  const int64_t *own = index->data;
  static int64_t asked; /* of the library, which no state holds; a trial's bank has 256 rows */
  int64_t stray = FAULT == STRAYS && host->rows > 256 ? asked++ : 0;
  for (int64_t query = 0; query < batch; query++) {
    ((int64_t *)positives->data)[query] = own[query];
    for (int64_t k = 0; k < width; k++) {
      ((int64_t *)negatives->data)[query * width + k] = (own[query] + 1 + stray + k) % host->rows;
    }
  }
  ++*(int64_t *)instance;
  return SBX_OK;
}

/* Counts the calls, so that a state can be handed over. */
static int32_t save(void *instance, const SbxHost *host) {
  return host->emit(host, instance, sizeof(int64_t));
}

static int32_t restore(void *instance, const SbxHost *host, uint32_t version, const uint8_t *data, uint64_t len) {
  if (version != STATE) return SBX_UNSUPPORTED;
  if (len != sizeof(int64_t)) {
    fail(host, "the state has another size");
    return SBX_ERROR;
  }
  memcpy(instance, data, len);
  return SBX_OK;
}

static const SbxParam params[] = {
    {FAULT == PARAM_WITHOUT_NAME ? 0 : "unused", "nothing", {SBX_INT, 0, VERSION, VERSION, 0}},
    {"how", "meant for another plugin", {SBX_TEXT, 0, 0, 0, ""}},
    {"after", "likewise", {SBX_INT, 0, 0, 0, 0}},
};

static const SbxPlugin plugin = {
    .struct_size = FAULT == SHORT_TABLE ? 16 : sizeof(SbxPlugin),
    .abi_major = FAULT == WRONG_MAJOR ? SBX_ABI_MAJOR + 1 : SBX_ABI_MAJOR,
    .abi_minor = FAULT == NEWER_MINOR ? SBX_ABI_MINOR + 1 : SBX_ABI_MINOR,
    .layout = FAULT == WRONG_LAYOUT ? 7 : SBX_LAYOUT,
    .slot = FAULT == UNKNOWN_SLOT ? 99 : SBX_SLOT_SAMPLER,
    .devices = FAULT == UNKNOWN_DEVICES ? 0 : SBX_DEVICES_CPU,
    .name = FAULT == NO_NAME ? 0 : FAULT == NAME_NOT_UTF8 ? "\xff\xfe" : "rows",
    .version = "1",
    .doc = "The next rows of the bank.",
    .state_version = STATE,
    .param_count = 3,
    .params = FAULT == PARAMS_NULL ? 0 : params,
    .create = FAULT == NO_CREATE ? 0 : create,
    .destroy = destroy,
    .decide = FAULT == NO_DECIDE ? 0 : decide,
    .save = FAULT == NO_SAVE ? 0 : save,
    .restore = restore,
};

const SbxPlugin *ENTRY(void) { return FAULT == NULL_TABLE ? 0 : &plugin; }

__attribute__((constructor)) static void loaded(void) {
  if (FAULT == CONSTRUCTOR_DIES) abort();
  /* A child that holds the pipes long after its parent; in the trial alone, which leads a group of its own. */
  if (FAULT == FORKS && getpgrp() == getpid() && fork() == 0) {
    sleep(600);
    _exit(0);
  }
}
