// The macro that applies another to each of up to 64 names, for schema.hpp.

#ifndef IO_SHARED_EACH_HPP
#define IO_SHARED_EACH_HPP

// IO_SHARED_EACH(F, T, a, b) is F(T, a) F(T, b).
#define IO_SHARED_EACH(F, T, ...) \
  IO_SHARED_JOIN(IO_SHARED_EACH_, IO_SHARED_COUNT(__VA_ARGS__))(F, T, __VA_ARGS__)
#define IO_SHARED_JOIN(a, b) IO_SHARED_JOINED(a, b)
#define IO_SHARED_JOINED(a, b) a##b

// How many names there are.
#define IO_SHARED_COUNT(...) \
  IO_SHARED_LAST(__VA_ARGS__, \
    64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, \
    41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, \
    18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define IO_SHARED_LAST( \
    a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, \
    a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, a33, a34, a35, a36, a37, a38, \
    a39, a40, a41, a42, a43, a44, a45, a46, a47, a48, a49, a50, a51, a52, a53, a54, a55, a56, \
    a57, a58, a59, a60, a61, a62, a63, a64, count, ...) \
  count

#define IO_SHARED_EACH_1(F, T, m) F(T, m)
#define IO_SHARED_EACH_2(F, T, m, ...) F(T, m) IO_SHARED_EACH_1(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_3(F, T, m, ...) F(T, m) IO_SHARED_EACH_2(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_4(F, T, m, ...) F(T, m) IO_SHARED_EACH_3(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_5(F, T, m, ...) F(T, m) IO_SHARED_EACH_4(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_6(F, T, m, ...) F(T, m) IO_SHARED_EACH_5(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_7(F, T, m, ...) F(T, m) IO_SHARED_EACH_6(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_8(F, T, m, ...) F(T, m) IO_SHARED_EACH_7(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_9(F, T, m, ...) F(T, m) IO_SHARED_EACH_8(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_10(F, T, m, ...) F(T, m) IO_SHARED_EACH_9(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_11(F, T, m, ...) F(T, m) IO_SHARED_EACH_10(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_12(F, T, m, ...) F(T, m) IO_SHARED_EACH_11(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_13(F, T, m, ...) F(T, m) IO_SHARED_EACH_12(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_14(F, T, m, ...) F(T, m) IO_SHARED_EACH_13(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_15(F, T, m, ...) F(T, m) IO_SHARED_EACH_14(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_16(F, T, m, ...) F(T, m) IO_SHARED_EACH_15(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_17(F, T, m, ...) F(T, m) IO_SHARED_EACH_16(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_18(F, T, m, ...) F(T, m) IO_SHARED_EACH_17(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_19(F, T, m, ...) F(T, m) IO_SHARED_EACH_18(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_20(F, T, m, ...) F(T, m) IO_SHARED_EACH_19(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_21(F, T, m, ...) F(T, m) IO_SHARED_EACH_20(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_22(F, T, m, ...) F(T, m) IO_SHARED_EACH_21(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_23(F, T, m, ...) F(T, m) IO_SHARED_EACH_22(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_24(F, T, m, ...) F(T, m) IO_SHARED_EACH_23(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_25(F, T, m, ...) F(T, m) IO_SHARED_EACH_24(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_26(F, T, m, ...) F(T, m) IO_SHARED_EACH_25(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_27(F, T, m, ...) F(T, m) IO_SHARED_EACH_26(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_28(F, T, m, ...) F(T, m) IO_SHARED_EACH_27(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_29(F, T, m, ...) F(T, m) IO_SHARED_EACH_28(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_30(F, T, m, ...) F(T, m) IO_SHARED_EACH_29(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_31(F, T, m, ...) F(T, m) IO_SHARED_EACH_30(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_32(F, T, m, ...) F(T, m) IO_SHARED_EACH_31(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_33(F, T, m, ...) F(T, m) IO_SHARED_EACH_32(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_34(F, T, m, ...) F(T, m) IO_SHARED_EACH_33(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_35(F, T, m, ...) F(T, m) IO_SHARED_EACH_34(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_36(F, T, m, ...) F(T, m) IO_SHARED_EACH_35(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_37(F, T, m, ...) F(T, m) IO_SHARED_EACH_36(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_38(F, T, m, ...) F(T, m) IO_SHARED_EACH_37(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_39(F, T, m, ...) F(T, m) IO_SHARED_EACH_38(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_40(F, T, m, ...) F(T, m) IO_SHARED_EACH_39(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_41(F, T, m, ...) F(T, m) IO_SHARED_EACH_40(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_42(F, T, m, ...) F(T, m) IO_SHARED_EACH_41(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_43(F, T, m, ...) F(T, m) IO_SHARED_EACH_42(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_44(F, T, m, ...) F(T, m) IO_SHARED_EACH_43(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_45(F, T, m, ...) F(T, m) IO_SHARED_EACH_44(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_46(F, T, m, ...) F(T, m) IO_SHARED_EACH_45(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_47(F, T, m, ...) F(T, m) IO_SHARED_EACH_46(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_48(F, T, m, ...) F(T, m) IO_SHARED_EACH_47(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_49(F, T, m, ...) F(T, m) IO_SHARED_EACH_48(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_50(F, T, m, ...) F(T, m) IO_SHARED_EACH_49(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_51(F, T, m, ...) F(T, m) IO_SHARED_EACH_50(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_52(F, T, m, ...) F(T, m) IO_SHARED_EACH_51(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_53(F, T, m, ...) F(T, m) IO_SHARED_EACH_52(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_54(F, T, m, ...) F(T, m) IO_SHARED_EACH_53(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_55(F, T, m, ...) F(T, m) IO_SHARED_EACH_54(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_56(F, T, m, ...) F(T, m) IO_SHARED_EACH_55(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_57(F, T, m, ...) F(T, m) IO_SHARED_EACH_56(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_58(F, T, m, ...) F(T, m) IO_SHARED_EACH_57(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_59(F, T, m, ...) F(T, m) IO_SHARED_EACH_58(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_60(F, T, m, ...) F(T, m) IO_SHARED_EACH_59(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_61(F, T, m, ...) F(T, m) IO_SHARED_EACH_60(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_62(F, T, m, ...) F(T, m) IO_SHARED_EACH_61(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_63(F, T, m, ...) F(T, m) IO_SHARED_EACH_62(F, T, __VA_ARGS__)
#define IO_SHARED_EACH_64(F, T, m, ...) F(T, m) IO_SHARED_EACH_63(F, T, __VA_ARGS__)

#endif
