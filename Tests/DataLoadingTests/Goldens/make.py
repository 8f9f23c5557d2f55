#!/usr/bin/env python3
"""Makes the files of this folder with Hugging Face's tokenizers: pip install tokenizers==0.23.3

corpus.txt     the text that the tokenizers are trained on
NAME.json      a tokenizer, as tokenizers saves it
gpt2/          the first one as GPT-2's files
cases.json     texts that are hard to split, and their tokens by each tokenizer
"""
import json
import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, trainers
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.pre_tokenizers import ByteLevel, Split

FOLDER = os.path.dirname(os.path.abspath(__file__))
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

SENTENCES = [
    "The ranks of a computer share the memory, and the ranks of all computers share the sum.",
    "It's what we've said: they'll learn, I'm sure, and you'd know that she isn't wrong.",
    "In 1987 there were 12,345 of them;   in 2024 there are 1234567, or 3.14159 times as many.",
    "def forward(self, x):\n    y = self.linear(x)\n    return y.relu()\n\n\n",
    "naïve café, Ångström, façade, Über, señor, crème brûlée; e\u0301 is not é.",
    "Ночь, улица, фонарь, аптека. 学而时习之，不亦说乎？ 今日は世界。 안녕하세요 세계.",
    "العربية ١٢٣ हिन्दी २०२४ עברית 😀 👩\u200d👩\u200d👧 🇩🇪 Ⅷ ½ x² \u00a0\u2003\u3000.",
]


def corpus():
    random.seed(7)
    words = " ".join(SENTENCES[:2]).split()
    lines = [random.choice(SENTENCES) for _ in range(60)]
    lines += [" ".join(random.choice(words) for _ in range(12)) for _ in range(60)]
    return "\n".join(lines) + "\n"


def train(text, split, size, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = ByteLevelDecoder()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, special_tokens=["<|endoftext|>"],
        initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def split_by(expression):
    return pre_tokenizers.Sequence([
        Split(Regex(expression), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)])


def tokenizers(text):
    gpt2 = train(text, ByteLevel(add_prefix_space=False), 700)
    llama3 = train(text, split_by(LLAMA3), 600, ignore_merges=True)
    llama3.add_special_tokens(["<|im_start|>", "<|im_start|>x"])
    llama3.add_tokens([AddedToken("   ", normalized=True), AddedToken("the ", normalized=False)])
    return {
        "gpt2": gpt2,
        "llama3": llama3,
        "qwen2": train(text, split_by(QWEN2), 500),
        "prefix": train(text, ByteLevel(add_prefix_space=True), 500),
        "whole": train(text, ByteLevel(add_prefix_space=False, use_regex=False), 400),
    }


def cases():
    hard = [
        "", " ", "  ", "\n", "\n\n", " \n ", "\r\n\r\n", "\t\tx", "a  b   c    d", "a\n  b", "  a",
        "a ", "a  ", "\u00a0a\u00a0 b", "\u3000\u3000x", "\u2028\u2029", "\u0085", "\u180ex",
        "it's IT'S I'M we'll WE'LL they've You'Re he'd'", "'s", " 's", "''s", "'sword", "'\u017f",
        "don’t", "1", "12", "123", "1234", "1234567", " 1234", "x123y", "٣٤٥", "½²Ⅷ", "a1b2",
        "!?", " !?", "!?\n", "!?\r\n\n x", "...and", "-- -", "/* c */ // d", "_a_", "#1",
        "é e\u0301", "日本語と中文", "한국어", "😀😀", "👩\u200d👩\u200d👧", "🇩🇪🇫🇷", "\u200b\u200d\ufeff",
        "\x00\x01\x1c\x1f\x7f", "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ",
        "<|endoftext", "<|im_start|>x<|im_start|>y", "the the  the   the    ", "\U0010ffff\ue000",
        "\U000323b0 \ua7ce", "ab" * 300, " " * 100 + "x", "a" * 1000, "日" * 100,
    ]
    random.seed(11)
    characters = list(
        " \n\r\t'sStdmreRElLabÀéßİıſΣя日本한0129٣½²_-!?.,\"#@<|>\u00a0\u2003\u200b\u0301😀🇩𝔸\U00020000")
    hard += ["".join(random.choice(characters) for _ in range(n % 40 + 1)) for n in range(150)]
    return hard


def main():
    text = corpus()
    with open(f"{FOLDER}/corpus.txt", "w", newline="") as file:
        file.write(text)
    texts = cases()
    table = {"texts": texts}
    for name, tokenizer in tokenizers(text).items():
        tokenizer.save(f"{FOLDER}/{name}.json", pretty=False)
        table[name] = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
        if name == "gpt2":
            os.makedirs(f"{FOLDER}/gpt2", exist_ok=True)
            tokenizer.model.save(f"{FOLDER}/gpt2")
    with open(f"{FOLDER}/cases.json", "w") as file:
        json.dump(table, file, separators=(",", ":"))


main()
