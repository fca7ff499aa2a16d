"""Answers each line {train, test} of pairs with the accuracy of a logistic regression on bags of words on the test pairs.

The features of a pair are the word counts of the chosen answer minus those of the rejected one; the sign is the label.
"""

import json
import sys

import numpy as np
from scipy.sparse import vstack
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

for line in sys.stdin:
    request = json.loads(line)
    vectorizer = CountVectorizer(min_df=2)
    vectorizer.fit([pair[side] for pair in request["train"] for side in ("chosen", "rejected")])

    def differences(pairs):
        return vectorizer.transform([p["chosen"] for p in pairs]) - vectorizer.transform([p["rejected"] for p in pairs])

    train = differences(request["train"])
    labels = np.concatenate([np.ones(train.shape[0]), np.zeros(train.shape[0])])
    model = LogisticRegression(C=0.01, fit_intercept=False, max_iter=1000).fit(vstack([train, -train]), labels)
    scores = differences(request["test"]) @ model.coef_[0]
    print(json.dumps({"accuracy": float(np.mean(scores > 0))}), flush=True)
