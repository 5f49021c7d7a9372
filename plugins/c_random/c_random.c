/* Random negatives of InterCLR (arXiv 2008.11702), as scripts/samplers/random.rhai has them: positives drawn evenly among the rows of
 * the query's own cluster, negatives among all others, both with replacement and without a rejection loop.
 *
 * A plugin in C: copy it, and change what stands between "the rule" and "the table". */
#include <sandbox_plugin.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the host says and is told ---- */

static int32_t fail(const SbxHost *host, const char *text) {
  host->fail(host, text, strlen(text));
  return SBX_ERROR;
}

/* The element at [i] of one dimension, wherever the strides put it. */
static int64_t row_at(const DLTensor *tensor, int64_t i) {
  const char *first = (const char *)tensor->data + tensor->byte_offset;
  return ((const int64_t *)(const void *)first)[i * tensor->strides[0]];
}

/* An input [n] of rows or labels on the CPU, or null with the reason told. */
static const DLTensor *rows_input(const SbxHost *host, const char *name) {
  const DLTensor *tensor = host->input(host, name);
  if (!tensor) return NULL;
  if (tensor->ndim == 1 && tensor->dtype.code == SBX_DL_INT && tensor->dtype.bits == 64 &&
      tensor->device.device_type == SBX_DL_CPU) {
    return tensor;
  }
  fail(host, "expected labels and rows as int64 of one dimension on the CPU");
  return NULL;
}

/* A fraction of the bank (0.1) or a count (512), as a count from 1 to N; 0 with the reason told. */
static int64_t count_of(const SbxHost *host, const char *name, const SbxValue *value) {
  double rows = (double)host->rows;
  double count = value->kind == SBX_INT ? value->number : round(value->number * rows);
  int fits = value->kind == SBX_INT ? value->integer >= 1 : value->number >= 0.0 && value->number <= 1.0;
  if (fits) return (int64_t)fmin(fmax(count, 1.0), fmax(rows, 1.0));
  char text[160];
  snprintf(text, sizeof text, "'%s': expected a count of 1 or more, or a fraction of the bank from 0.0 to 1.0, found %g", name,
           value->number);
  fail(host, text);
  return 0;
}

/* ---- the rule ---- */

typedef struct {
  SbxValue positives, negatives;
} Random;

/* All rows ordered by their label, and where each label begins. */
typedef struct {
  int64_t labels, rows;
  int64_t *order, *start;
} Clusters;

static void free_clusters(Clusters *clusters) {
  free(clusters->order);
  free(clusters->start);
}

/* By counting: stable, so that members stand in the order of their rows. */
static int sort(const DLTensor *labels, Clusters *clusters) {
  clusters->rows = labels->shape[0];
  for (int64_t row = 0; row < clusters->rows; row++) {
    if (row_at(labels, row) >= clusters->labels) clusters->labels = row_at(labels, row) + 1;
  }
  clusters->order = malloc(sizeof(int64_t) * (size_t)(clusters->rows + 1));
  clusters->start = calloc((size_t)(clusters->labels + 2), sizeof(int64_t));
  if (!clusters->order || !clusters->start) return 0;
  /* start[label + 2] counts, then start[label + 1] is where the next one of the label goes, and in the end start[label + 1] its end. */
  int64_t *next = clusters->start + 1;
  for (int64_t row = 0; row < clusters->rows; row++) next[row_at(labels, row) + 1]++;
  for (int64_t label = 0; label < clusters->labels; label++) next[label + 1] += next[label];
  for (int64_t row = 0; row < clusters->rows; row++) clusters->order[next[row_at(labels, row)]++] = row;
  return 1;
}

/* Fills [B, width] with members of each query's cluster, or with all others. */
static int32_t draw(const SbxHost *host, const Clusters *clusters, const DLTensor *labels, int others, int64_t width) {
  int64_t batch = labels->shape[0], shape[2] = {batch, width};
  DLTensor *answer = host->output(host, others ? "negatives" : "positives", 2, shape);
  if (!answer) return SBX_ERROR;
  double *draws = malloc(sizeof(double) * (size_t)(batch * width));
  if (!draws) return fail(host, "there is no memory for the random numbers");
  int32_t status = host->uniform(host, draws, (uint64_t)(batch * width));
  int64_t *places = answer->data;
  for (int64_t at = 0; status == SBX_OK && at < batch * width; at++) {
    int64_t label = row_at(labels, at / width);
    int known = label >= 0 && label < clusters->labels;
    int64_t start = known ? clusters->start[label] : 0;
    int64_t own = known ? clusters->start[label + 1] - start : 0;
    int64_t count = others ? clusters->rows - own : own;
    if (count == 0) continue; /* none: the place keeps its -1 */
    int64_t rank = (int64_t)(draws[at] * (double)count);
    if (rank >= count) rank = count - 1;
    /* What lies behind the own cluster in the order is further on by its size. */
    places[at] = clusters->order[!others ? start + rank : rank >= start ? own + rank : rank];
  }
  free(draws);
  return status;
}

static int32_t decide(void *instance, const SbxHost *host) {
  const Random *random = instance;
  const DLTensor *labels = rows_input(host, "labels");
  const DLTensor *bank = rows_input(host, "bank.labels");
  if (!labels || !bank) return SBX_ERROR;
  int64_t positives = count_of(host, "positives", &random->positives);
  int64_t negatives = count_of(host, "negatives", &random->negatives);
  if (!positives || !negatives) return SBX_ERROR;

  Clusters clusters = {0};
  int32_t status = SBX_ERROR;
  if (!sort(bank, &clusters)) {
    fail(host, "there is no memory to sort the bank's labels");
  } else {
    status = draw(host, &clusters, labels, 0, positives);
    if (status == SBX_OK) status = draw(host, &clusters, labels, 1, negatives);
  }
  free_clusters(&clusters);
  return status;
}

static int32_t create(const SbxHost *host, const SbxValue *values, void **instance) {
  Random *random = malloc(sizeof *random);
  if (!random) return fail(host, "there is no memory for an instance");
  random->positives = values[0];
  random->negatives = values[1];
  *instance = random;
  return SBX_OK;
}

static void destroy(void *instance) { free(instance); }

/* ---- the table ---- */

static const SbxParam params[] = {
    {"positives", "how many a query gets of its cluster; a fraction of the bank or a count", {SBX_INT, 0, 1, 1.0, NULL}},
    {"negatives", "how many a query gets of others; likewise", {SBX_FLOAT, 0, 0, 0.0128, NULL}},
};

static const SbxPlugin plugin = {
    .struct_size = sizeof(SbxPlugin),
    .abi_major = SBX_ABI_MAJOR,
    .abi_minor = SBX_ABI_MINOR,
    .layout = SBX_LAYOUT,
    .slot = SBX_SLOT_SAMPLER,
    .devices = SBX_DEVICES_CPU,
    .name = "c_random",
    .version = "0.1.0",
    .doc = "InterCLR's random negatives: drawn from all rows of other clusters",
    .param_count = sizeof params / sizeof params[0],
    .params = params,
    .create = create,
    .destroy = destroy,
    .decide = decide,
};

const SbxPlugin *sandbox_plugin(void) { return &plugin; }
