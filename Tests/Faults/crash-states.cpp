// Writes the states in which a loss of power can leave a directory.
//
// Usage: crash-states BEFORE LOG DATA DIRECTORY OUT MAXIMUM SEED
//
//   BEFORE     a copy of the directory before the logged calls; all of it is on the disk
//   LOG, DATA  the calls, as preload.c logs them
//   DIRECTORY  the directory's path in the log
//   OUT        gets a folder for each state, named 1, 2, ...
//   MAXIMUM    the most states that are written, chosen at random with SEED
//
// Prints the number of different states and the number of those written.
//
// The model is the weakest that POSIX allows. What a file's writes changed is on the disk after an
// fsync of the file; a changed entry of a directory after an fsync of the directory. Until then each
// of them may be on the disk or not, in any combination and any order. A file whose writes are not on
// the disk may have its new length, with zeros. The power may fail after any call.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using Entries = std::map<std::string, int>;

struct Inode {
  bool is_directory = false;
  std::string content;  // before the calls
  Entries entries;      // before the calls, then as the calls change them
};

// A change of directory entries: entries that go, and one that appears. A rename has both.
struct Change {
  struct Entry {
    int directory, child;
    std::string name;
  };
  int call, durable;
  std::vector<Entry> cleared, set;
};

struct Write {
  int call, durable, inode;
  size_t offset;
  std::string bytes;
};

constexpr int never = 1 << 30;
static std::vector<Inode> inodes;
static std::vector<Change> changes;
static std::vector<Write> writes;
static std::vector<Entries> entries_before;

static std::string contents(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

static int add(Inode inode) {
  inodes.push_back(std::move(inode));
  return int(inodes.size()) - 1;
}

static int read_tree(const fs::path &path) {
  if (!fs::is_directory(path)) return add({false, contents(path), {}});
  const int directory = add({true, "", {}});
  for (const auto &entry : fs::directory_iterator(path)) {
    const int child = read_tree(entry.path());
    inodes[directory].entries[entry.path().filename()] = child;
  }
  return directory;
}

// The directory and the name that a path means; the directory is -1 if there is none.
static std::pair<int, std::string> locate(const std::string &path) {
  int directory = 0;
  std::string name;
  std::stringstream parts(path);
  for (std::string part; std::getline(parts, part, '/');) {
    if (part.empty() || part == ".") continue;
    if (!name.empty()) {
      const auto found = inodes[directory].entries.find(name);
      if (found == inodes[directory].entries.end()) return {-1, part};
      directory = found->second;
    }
    name = part;
  }
  return {directory, name};
}

static int find(const std::string &path) {
  const auto [directory, name] = locate(path);
  if (directory < 0) return -1;
  if (name.empty()) return directory;
  const auto found = inodes[directory].entries.find(name);
  return found == inodes[directory].entries.end() ? -1 : found->second;
}

static void change(Change change) {
  for (const auto &e : change.cleared) inodes[e.directory].entries.erase(e.name);
  for (const auto &e : change.set) inodes[e.directory].entries[e.name] = e.child;
  changes.push_back(std::move(change));
}

// Follows the logged calls. Those that fail, such as the creation of what exists, change nothing.
static int follow(const fs::path &log, const fs::path &data, const std::string &root) {
  std::ifstream file(log);
  int call = 0;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> fields;
    std::stringstream stream(line);
    for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
    const auto relative = [&](const std::string &path) {
      return path.compare(0, root.size(), root) == 0 ? path.substr(root.size()) : std::string("?/?");
    };
    call = std::stoi(fields[0]);
    const std::string kind = fields[1], path = relative(fields[2]);
    const auto [directory, name] = locate(path);
    const int inode = find(path);
    if (kind == "open" || kind == "mkdir") {
      if (inode < 0 && directory >= 0) {
        const int child = add({kind == "mkdir", "", {}});
        change({call, never, {}, {{directory, child, name}}});
      }
    } else if (kind == "write" && inode >= 0) {
      writes.push_back(
          {call, never, inode, std::stoul(fields[4]), contents(data / std::to_string(call))});
    } else if (kind == "fsync" && inode >= 0) {
      for (auto &w : writes)
        if (w.inode == inode) w.durable = std::min(w.durable, call);
      for (auto &c : changes)
        for (const auto &list : {c.cleared, c.set})
          for (const auto &e : list)
            if (e.directory == inode) c.durable = std::min(c.durable, call);
    } else if (kind == "unlink" && inode >= 0) {
      change({call, never, {{directory, inode, name}}, {}});
    } else if (kind == "rmdir" && inode >= 0 && inodes[inode].entries.empty()) {
      change({call, never, {{directory, inode, name}}, {}});
    } else if (kind == "rename" && inode >= 0) {
      const auto [other, target] = locate(relative(fields[3]));
      if (other >= 0)
        change({call, never, {{directory, inode, name}}, {{other, inode, target}}});
    } else if (kind == "link" && inode >= 0) {
      const auto [other, target] = locate(relative(fields[3]));
      if (other >= 0 && find(relative(fields[3])) < 0)
        change({call, never, {}, {{other, inode, target}}});
    }
  }
  return call;
}

enum class Fate { kept, lost, zeros, half };

// A state: the calls before the loss of power, and which pending changes and writes are on the disk.
struct State {
  int call;
  std::vector<bool> kept;  // for each change
  std::map<int, Fate> fates;
  Fate others;
};

static std::string content(const State &state, int inode) {
  std::string text = inodes[inode].content;
  const auto put = [&](const Write &w, bool zeros) {
    if (text.size() < w.offset + w.bytes.size()) text.resize(w.offset + w.bytes.size());
    if (!zeros) text.replace(w.offset, w.bytes.size(), w.bytes);
  };
  const auto found = state.fates.find(inode);
  const Fate fate = found == state.fates.end() ? state.others : found->second;
  for (const auto &w : writes) {
    if (w.inode != inode || w.call > state.call) continue;
    const bool durable = w.durable <= state.call;
    if (durable || fate == Fate::kept) put(w, false);
    else if (fate == Fate::zeros) put(w, true);
    else if (fate == Fate::half) {
      Write part = w;
      part.bytes.resize(w.bytes.size() / 2);
      put(part, false);
    }
  }
  return text;
}

static std::vector<Entries> entries(const State &state) {
  auto all = entries_before;
  all.resize(inodes.size());
  for (size_t i = 0; i < changes.size(); i++) {
    const auto &c = changes[i];
    if (c.call > state.call || (c.durable > state.call && !state.kept[i])) continue;
    for (const auto &e : c.cleared) {
      const auto found = all[e.directory].find(e.name);
      if (found != all[e.directory].end() && found->second == e.child) all[e.directory].erase(found);
    }
    for (const auto &e : c.set) all[e.directory][e.name] = e.child;
  }
  return all;
}

// Calls a closure for each file and folder. A lost rename can leave a folder with two parents, but
// none inside itself: folders are renamed within their parent only.
static void visit(
    const State &state, const std::function<void(const std::string &, int)> &body) {
  const auto all = entries(state);
  std::function<void(int, const std::string &)> walk = [&](int inode, const std::string &path) {
    body(path, inode);
    for (const auto &[name, child] : all[inode]) walk(child, path + "/" + name);
  };
  walk(0, "");
}

static uint64_t fingerprint(const State &state) {
  uint64_t hash = 14695981039346656037u;
  const auto mix = [&](const std::string &text) {
    for (unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
    hash = (hash ^ 256) * 1099511628211u;
  };
  visit(state, [&](const std::string &path, int inode) {
    mix(path);
    if (!inodes[inode].is_directory) mix(content(state, inode));
  });
  return hash;
}

static void write(const State &state, const fs::path &out) {
  visit(state, [&](const std::string &path, int inode) {
    const fs::path target = out.string() + path;
    if (inodes[inode].is_directory) fs::create_directories(target);
    else std::ofstream(target, std::ios::binary) << content(state, inode);
  });
}

int main(int count, char **arguments) {
  if (count != 8) return 64;
  const fs::path before = arguments[1], log = arguments[2], data = arguments[3];
  const fs::path out = arguments[5];
  const size_t maximum = std::stoul(arguments[6]);
  std::mt19937 random(unsigned(std::stoul(arguments[7])));
  read_tree(before);
  for (const auto &inode : inodes) entries_before.push_back(inode.entries);
  const int calls = follow(log, data, arguments[4]);

  std::vector<State> states;
  std::set<uint64_t> seen;
  const auto consider = [&](const State &state) {
    if (seen.insert(fingerprint(state)).second) states.push_back(state);
  };
  for (int call = 0; call <= calls; call++) {
    std::vector<size_t> pending;
    std::set<int> unwritten;
    for (size_t i = 0; i < changes.size(); i++)
      if (changes[i].call <= call && changes[i].durable > call) pending.push_back(i);
    for (const auto &w : writes)
      if (w.call <= call && w.durable > call) unwritten.insert(w.inode);

    // All subsets of few changes; of many: none, all, one, all but one, the first ones, some.
    const size_t n = pending.size();
    std::set<uint64_t> masks;
    const uint64_t all = (uint64_t(1) << std::min<size_t>(n, 63)) - 1;
    if (n <= 5) {
      for (uint64_t mask = 0; mask <= all; mask++) masks.insert(mask);
    } else {
      masks = {0, all};
      for (size_t i = 0; i < n; i++) {
        const uint64_t bit = uint64_t(1) << i;
        masks.insert({bit, all & ~bit, bit - 1});
      }
      for (int i = 0; i < 12; i++)
        masks.insert((uint64_t(random()) << 32 | random()) & all);
    }
    for (const uint64_t mask : masks) {
      State state{call, std::vector<bool>(changes.size()), {}, Fate::kept};
      for (size_t i = 0; i < n; i++) state.kept[pending[i]] = mask >> i & 1;
      consider(state);
      for (const Fate fate : {Fate::lost, Fate::zeros, Fate::half}) {
        state.fates.clear();
        state.others = fate;
        consider(state);
        state.others = Fate::kept;
        for (const int inode : unwritten) {
          state.fates = {{inode, fate}};
          consider(state);
        }
        state.fates.clear();
      }
    }
  }

  const size_t found = states.size();
  std::shuffle(states.begin(), states.end(), random);
  if (states.size() > maximum) states.resize(maximum);
  for (size_t i = 0; i < states.size(); i++) write(states[i], out / std::to_string(i + 1));
  std::cout << found << " " << states.size() << "\n";
}
