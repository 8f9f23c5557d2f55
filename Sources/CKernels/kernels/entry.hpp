// How a kernel becomes callable: from a template over the element type to the entry that CKernels.h
// declares.
#pragma once

template <typename T> constexpr ck_type type_of = ck_type(-1);
template <> constexpr ck_type type_of<float> = ck_f32;
template <> constexpr ck_type type_of<double> = ck_f64;
template <> constexpr ck_type type_of<int32_t> = ck_i32;
template <> constexpr ck_type type_of<bfloat16> = ck_bf16;
template <> constexpr ck_type type_of<int64_t> = ck_i64;
template <> constexpr ck_type type_of<uint8_t> = ck_bool;  // 0 or 1

// Calls body<T>() with the one of Types that `type` names; traps if there is none.
template <typename... Types, typename F>
INLINE void with_type(ck_type type, const char *kernel, F body) {
  const bool found = ((type == type_of<Types> && (body.template operator()<Types>(), true)) || ...);
  if (!found) ck_unsupported(kernel, type);
}

// A `void *` on its way to a kernel, which declares what it points to.
struct Pointer {
  void *address;
  template <typename T> operator T *() const { return (T *)address; }
};
struct ConstPointer {
  const void *address;
  template <typename T> operator const T *() const { return (const T *)address; }
};
template <typename A> INLINE A argument(A a) { return a; }
INLINE Pointer argument(void *a) { return {a}; }
INLINE ConstPointer argument(const void *a) { return {a}; }

template <typename Declaration, typename Kernel, typename... Types> struct Entry;
template <typename R, typename... A, typename Kernel, typename... Types>
struct Entry<R (*)(ck_type, A...), Kernel, Types...> {
  static R call(ck_type type, A... a) {
    if constexpr (same<R, void>) {
      with_type<Types...>(type, Kernel::name, [&]<typename T>() {
        Kernel::template run<T>(argument(a)...);
      });
    } else {
      R result{};
      with_type<Types...>(type, Kernel::name, [&]<typename T>() {
        result = Kernel::template run<T>(argument(a)...);
      });
      return result;
    }
  }
};

// KERNEL(name, T...) after the template `name` makes it the kernel ck_##name for the element types T,
// if this is the chosen instruction set.
#define KERNEL(kernel, ...)                                                      \
  struct kernel##_kernel {                                                       \
    static constexpr const char *name = #kernel;                                 \
    template <typename T> static auto run(auto... a) { return kernel<T>(a...); } \
  };                                                                             \
  INSTALL(kernel, (Entry<decltype(ck_##kernel), kernel##_kernel, __VA_ARGS__>::call))

// KERNEL for a function that has no element type.
#define UNTYPED_KERNEL(kernel) INSTALL(kernel, kernel)

// Runs before main.
#define INSTALL(kernel, entry)                     \
  [[maybe_unused]] const bool kernel##_installed = \
      ck_chosen_isa() == ISA && (ck_##kernel = entry, true);
