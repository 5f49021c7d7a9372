/* The host of conform.c: a bank and a batch in plain memory, lent for one call and freed after it, so that reading or writing outside
 * of a tensor, or after the call, is found where it happens. */
#include <sandbox_plugin.h>

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 8, POSITIVES = 2, NEGATIVES = 5 };
static const float MISSING = -1e4F, EMPTY = -1e6F;

static const SbxPlugin *plugin;
/* What is tried, for the message of a failure. */
static const char *scene_name = "the table", *function_name = "";

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...) {
  va_list values;
  va_start(values, format);
  fprintf(stderr, "%s: %s%s", scene_name, function_name, *function_name ? ": " : "");
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  va_end(values);
  exit(1);
}

/* Why the plugin refused the last question. */
static char refusal[640];

static void *allocate(size_t bytes) {
  void *memory = malloc(bytes ? bytes : 1);
  if (!memory) die("there is no memory");
  return memory;
}

/* ---- bytes that grow: states, and answers that are compared ---- */

typedef struct {
  unsigned char *data;
  size_t len;
} Bytes;

static void append(Bytes *bytes, const void *data, size_t len) {
  unsigned char *longer = allocate(bytes->len + len);
  if (bytes->len) memcpy(longer, bytes->data, bytes->len);
  if (len) memcpy(longer + bytes->len, data, len);
  free(bytes->data);
  bytes->data = longer;
  bytes->len += len;
}

static void clear(Bytes *bytes) {
  free(bytes->data);
  *bytes = (Bytes){0};
}

static int same(const Bytes *a, const Bytes *b) { return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0); }

/* ---- tensors that are lent ---- */

typedef struct Lent {
  const char *name;
  DLTensor view;
  int64_t shape[2], strides[2];
  size_t bytes;
  unsigned char *before; /* an input's contents */
  struct Lent *next;
} Lent;

static int64_t count(const DLTensor *view) {
  int64_t all = 1;
  for (int32_t i = 0; i < view->ndim; i++) all *= view->shape[i];
  return all;
}

/* Puts a tensor in front of a list; its neighbours lie `spread` elements apart. With 0 all are the first one. */
static Lent *lend(Lent **list, const char *name, uint8_t code, int32_t ndim, const int64_t *shape, int64_t spread) {
  Lent *lent = allocate(sizeof *lent);
  *lent = (Lent){.name = name, .next = *list};
  uint8_t bits = code == SBX_DL_INT ? 64 : code == SBX_DL_FLOAT ? 32 : 8;
  lent->view = (DLTensor){.device = {SBX_DL_CPU, 0}, .ndim = ndim, .dtype = {code, bits, 1}};
  lent->view.shape = lent->shape;
  lent->view.strides = lent->strides;
  int64_t step = spread;
  for (int32_t i = ndim - 1; i >= 0; i--) {
    lent->shape[i] = shape[i];
    lent->strides[i] = step;
    step *= shape[i];
  }
  /* It ends with its last element, not with the gap behind it. */
  lent->bytes = (size_t)(count(&lent->view) * spread - (spread - 1)) * (bits / 8);
  lent->view.data = allocate(lent->bytes);
  memset(lent->view.data, 0xa5, lent->bytes);
  return *list = lent;
}

/* The element at a place, counted row by row: each dimension lies as far from the next as a whole row of it. */
static void *element(const Lent *lent, int64_t place) {
  int64_t spread = lent->view.ndim ? lent->strides[lent->view.ndim - 1] : 1;
  return (char *)lent->view.data + place * spread * (lent->view.dtype.bits / 8);
}

static void put(const Lent *lent, int64_t place, double value) {
  switch (lent->view.dtype.code) {
    case SBX_DL_INT: *(int64_t *)element(lent, place) = (int64_t)value; break;
    case SBX_DL_FLOAT: *(float *)element(lent, place) = (float)value; break;
    default: *(unsigned char *)element(lent, place) = value != 0;
  }
}

static void give_back(Lent **list) {
  while (*list) {
    Lent *lent = *list;
    *list = lent->next;
    free(lent->view.data);
    free(lent->before);
    free(lent);
  }
}

/* ---- a bank and a batch of it ---- */

typedef struct {
  const char *what;
  int64_t rows, batch, clusters, spread;
} Scene;

static const Scene scenes[] = {
    {"64 rows, 8 queries, 4 clusters", 64, 8, 4, 1},
    {"the same, its inputs spread in memory", 64, 8, 4, 3},
    {"one query", 32, 1, 4, 1},
    {"one cluster only", 32, 4, 1, 1},
    {"each row its own cluster", 16, 4, 16, 1},
    {"a bank of one row", 1, 1, 1, 1},
};

/* An answer that the slot takes: exact sizes, or from 1 to them. Numbers lie from `least` to `most` where these differ. */
typedef struct {
  const char *name;
  uint8_t code;
  int32_t ndim;
  int64_t shape[2];
  int up_to[2], required;
  int64_t least, most;
} Answer;

typedef struct {
  SbxHost table;
  Lent *inputs, *outputs;
  Answer answers[3];
  uint64_t stream;
  char said[256], refused[256];
  Bytes state;
} Host;

static void unit_rows(const Lent *lent) {
  for (int64_t row = 0; row < lent->shape[0]; row++) {
    double norm = 1e-6, values[DIM];
    for (int64_t i = 0; i < DIM; i++) {
      values[i] = (double)((row * DIM + i) * 2654435761 % 1009) / 504.0 - 1.0;
      norm += values[i] * values[i];
    }
    for (int64_t i = 0; i < DIM; i++) put(lent, row * DIM + i, values[i] / sqrt(norm));
  }
}

static Lent *feature_input(Host *host, const char *name, int64_t rows, int64_t spread) {
  Lent *lent = lend(&host->inputs, name, SBX_DL_FLOAT, 2, (int64_t[]){rows, DIM}, spread);
  unit_rows(lent);
  return lent;
}

/* 0, 1, 2 ... below `clusters`, and again. */
static void row_input(Host *host, const char *name, int64_t size, int64_t clusters, int64_t spread) {
  Lent *lent = lend(&host->inputs, name, SBX_DL_INT, 1, &size, spread);
  for (int64_t i = 0; i < size; i++) put(lent, i, (double)(i % clusters));
}

static void bank_inputs(Host *host, const Scene *scene) {
  feature_input(host, "bank.features", scene->rows, scene->spread);
  row_input(host, "bank.labels", scene->rows, scene->clusters, scene->spread);
  feature_input(host, "bank.centroids", scene->clusters, scene->spread);
}

static void sampler_inputs(Host *host, const Scene *scene) {
  bank_inputs(host, scene);
  const Lent *queries = feature_input(host, "queries", scene->batch, 1);
  const Lent *rows = feature_input(host, "rows", scene->rows, 1);
  row_input(host, "index", scene->batch, scene->rows, scene->spread);
  row_input(host, "labels", scene->batch, scene->clusters, scene->spread);
  int64_t shape[2] = {scene->batch, scene->rows};
  const Lent *cosines = lend(&host->inputs, "similarity", SBX_DL_FLOAT, 2, shape, scene->spread);
  for (int64_t at = 0; at < scene->batch * scene->rows; at++) {
    const float *query = element(queries, at / scene->rows * DIM), *row = element(rows, at % scene->rows * DIM);
    double cosine = 0;
    for (int64_t i = 0; i < DIM; i++) cosine += (double)(query[i] * row[i]);
    put(cosines, at, cosine);
  }
}

/* Cosines of which some do not exist: the last query has no negative at all, every other fifth is missing. */
static void boundary_inputs(Host *host, const Scene *scene) {
  static const char *names[] = {"positives", "negatives", "valid"};
  for (int64_t which = 0; which < 3; which++) {
    int64_t width = which == 1 ? NEGATIVES : POSITIVES, shape[2] = {scene->batch, width};
    const Lent *lent = lend(&host->inputs, names[which], which == 2 ? SBX_DL_BOOL : SBX_DL_FLOAT, 2, shape, scene->spread);
    for (int64_t at = 0; at < scene->batch * width; at++) {
      double cosine = fmin((double)((at + 31 * which) * 7919 % 199) / 99.0 - 1.0, 1.0);
      int missing = which == 1 && (at % 5 == 0 || at / width == scene->batch - 1);
      put(lent, at, which == 2 ? at % 3 != 1 : missing ? (double)MISSING : cosine);
    }
  }
}

/* Whether a place of a stream's memory holds a prototype: of the first stream all do, of the last one none; of the only one the first does not. */
static int holds(const Scene *scene, int64_t at) {
  int64_t stream = at / scene->clusters;
  if (stream == 0) return scene->batch > 1 || at > 0;
  return stream + 1 < scene->batch && at % 3 != 1;
}

/* A number for each place of each stream's memory, from `least` on in steps; another one where there is no prototype. */
static void memory_input(Host *host, const char *name, const Scene *scene, double least, double step, double otherwise) {
  int64_t shape[2] = {scene->batch, scene->clusters};
  const Lent *lent = lend(&host->inputs, name, SBX_DL_FLOAT, 2, shape, scene->spread);
  for (int64_t at = 0; at < shape[0] * shape[1]; at++) {
    put(lent, at, holds(scene, at) ? least + step * (double)(at * 7919 % 199) : otherwise);
  }
}

/* One number, which a host repeats for each stream. */
static void repeated_input(Host *host, const char *name, const Scene *scene, double number) {
  put(lend(&host->inputs, name, SBX_DL_FLOAT, 1, &scene->batch, 0), 0, number);
}

/* The memories of streams with `clusters` places each; what only one of the slots may read is not there for the other. */
static void stream_inputs(Host *host, const Scene *scene) {
  memory_input(host, "scores", scene, -9.9, 0.1, (double)EMPTY);
  memory_input(host, "usage", scene, 0.01, 0.02, 0);
  if (plugin->slot == SBX_SLOT_NOVELTY) {
    repeated_input(host, "beta", scene, -9);
    repeated_input(host, "gamma", scene, 1);
    return;
  }
  memory_input(host, "age", scene, 1, 1, 0);
  const Lent *novelty = lend(&host->inputs, "novelty", SBX_DL_FLOAT, 1, &scene->batch, scene->spread);
  for (int64_t stream = 0; stream < scene->batch; stream++) put(novelty, stream, (double)(stream * 5 % 8) / 7.0);
}

static void stream_answers(Host *host, const Scene *scene) {
  int64_t b = scene->batch, k = scene->clusters;
  if (plugin->slot == SBX_SLOT_NOVELTY) {
    host->answers[0] = (Answer){"logit", SBX_DL_FLOAT, 1, {b}, {0}, 1, 0, 0};
    host->answers[1] = (Answer){"d_beta", SBX_DL_FLOAT, 1, {b}, {0}, 0, 0, 0};
    host->answers[2] = (Answer){"d_gamma", SBX_DL_FLOAT, 1, {b}, {0}, 0, 0, 0};
  } else {
    host->answers[0] = (Answer){"share", SBX_DL_FLOAT, 2, {b, k}, {0}, 1, 0, 1};
    host->answers[1] = (Answer){"place", SBX_DL_INT, 1, {b}, {0}, 1, 0, k - 1};
  }
}

/* What a function of the slot may read, and what it may answer. */
static void set_the_scene(Host *host, const Scene *scene, const char *function) {
  int64_t b = scene->batch, n = scene->rows, c = scene->clusters;
  if (plugin->slot == SBX_SLOT_NOVELTY || plugin->slot == SBX_SLOT_PROTOTYPES) {
    stream_inputs(host, scene);
    stream_answers(host, scene);
  } else if (plugin->slot == SBX_SLOT_BOUNDARY) {
    boundary_inputs(host, scene);
    host->answers[0] = (Answer){"loss", SBX_DL_FLOAT, 0, {0}, {0}, 1, 0, 0};
    host->answers[1] = (Answer){"d_positives", SBX_DL_FLOAT, 2, {b, POSITIVES}, {0}, 1, 0, 0};
    host->answers[2] = (Answer){"d_negatives", SBX_DL_FLOAT, 2, {b, NEGATIVES}, {0}, 1, 0, 0};
  } else if (plugin->slot == SBX_SLOT_SAMPLER) {
    sampler_inputs(host, scene);
    host->answers[0] = (Answer){"positives", SBX_DL_INT, 2, {b, n}, {0, 1}, 1, -1, n - 1};
    host->answers[1] = (Answer){"negatives", SBX_DL_INT, 2, {b, n}, {0, 1}, 1, -1, n - 1};
  } else if (strcmp(function, "start") == 0) {
    feature_input(host, "features", n, scene->spread);
    host->answers[0] = (Answer){"labels", SBX_DL_INT, 1, {n}, {0}, 1, 0, n - 1};
    host->answers[1] = (Answer){"centroids", SBX_DL_FLOAT, 2, {n, DIM}, {1, 0}, 1, 0, 0};
  } else {
    int decide = strcmp(function, "decide") == 0;
    bank_inputs(host, scene);
    if (decide) feature_input(host, "keys", b, scene->spread);
    if (decide) row_input(host, "index", b, n, scene->spread);
    host->answers[0] = (Answer){"labels", SBX_DL_INT, 1, {decide ? b : n}, {0}, 0, 0, c - 1};
    if (!decide) host->answers[1] = (Answer){"centroids", SBX_DL_FLOAT, 2, {c, DIM}, {0}, 0, 0, 0};
  }
}

/* ---- the host's functions ---- */

static Host *of(const SbxHost *table) { return table->context; }

static const DLTensor *serve_input(const SbxHost *table, const char *name) {
  for (const Lent *lent = of(table)->inputs; lent; lent = lent->next) {
    if (strcmp(lent->name, name) == 0 && strcmp(name, "rows") != 0) return &lent->view;
  }
  snprintf(of(table)->refused, sizeof of(table)->refused, "there is no input '%s'", name);
  return NULL;
}

static double serve_number(const SbxHost *table, const char *name) {
  if (plugin->slot == SBX_SLOT_BOUNDARY && strcmp(name, "temperature") == 0) return 0.2;
  if (plugin->slot == SBX_SLOT_BOUNDARY && strcmp(name, "missing") == 0) return (double)MISSING;
  if (plugin->slot == SBX_SLOT_NOVELTY && strcmp(name, "empty") == 0) return (double)EMPTY;
  snprintf(of(table)->refused, sizeof of(table)->refused, "there is no number '%s'", name);
  return NAN;
}

static int fits(const Answer *answer, int32_t ndim, const int64_t *shape) {
  int all = ndim == answer->ndim;
  for (int32_t i = 0; all && i < ndim; i++) {
    all = answer->up_to[i] ? shape[i] >= 1 && shape[i] <= answer->shape[i] : shape[i] == answer->shape[i];
  }
  return all;
}

static DLTensor *serve_output(const SbxHost *table, const char *name, int32_t ndim, const int64_t *shape) {
  Host *host = of(table);
  for (size_t i = 0; i < 3 && host->answers[i].name; i++) {
    const Answer *answer = &host->answers[i];
    if (strcmp(answer->name, name) != 0 || !fits(answer, ndim, shape)) continue;
    Lent *lent = lend(&host->outputs, answer->name, answer->code, ndim, shape, 1);
    for (int64_t at = 0; at < count(&lent->view); at++) put(lent, at, answer->code == SBX_DL_INT ? -1.0 : (double)NAN);
    return &lent->view;
  }
  snprintf(host->refused, sizeof host->refused, "no answer '%s' of %d dimensions and this shape is taken", name, ndim);
  return NULL;
}

/* SplitMix64 (Steele et al. 2014), as numbers from 0 to 1. */
static int32_t serve_uniform(const SbxHost *table, double *out, uint64_t number) {
  for (uint64_t i = 0; i < number; i++) {
    uint64_t x = of(table)->stream += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    out[i] = (double)((x ^ (x >> 31)) >> 11) / 9007199254740992.0;
  }
  return SBX_OK;
}

/* Reads all of a text, so that a wrong length is found. */
static void keep(char *place, size_t room, const char *text, uint64_t len) {
  Bytes whole = {0};
  append(&whole, text, len);
  append(&whole, "", 1);
  snprintf(place, room, "%s", (const char *)whole.data);
  clear(&whole);
}

static void serve_log(const SbxHost *table, int32_t level, const char *text, uint64_t len) {
  char line[256];
  (void)table;
  keep(line, sizeof line, text, len);
  printf("  log %d: %s\n", level, line);
}

static void serve_fail(const SbxHost *table, const char *text, uint64_t len) {
  keep(of(table)->said, sizeof of(table)->said, text, len);
}

static int32_t serve_emit(const SbxHost *table, const uint8_t *data, uint64_t len) {
  append(&of(table)->state, data, len);
  return SBX_OK;
}

static void begin(Host *host, int64_t rows, uint64_t seed) {
  *host = (Host){.stream = seed};
  host->table = (SbxHost){
      .struct_size = sizeof(SbxHost),
      .context = host,
      .now = {9, 0, 100, 10},
      .rows = rows,
      .device = {SBX_DL_CPU, 0},
      .seed = seed,
      .input = serve_input,
      .number = serve_number,
      .output = serve_output,
      .uniform = serve_uniform,
      .log = serve_log,
      .fail = serve_fail,
      .emit = serve_emit,
  };
}
