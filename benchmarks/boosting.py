"""Gradient boosting for the accuracy benchmark: LightGBM and CatBoost.

The extra `benchmark` installs both packages. They are imported when a model is made, so
that the other models can be measured without them.
"""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.model_selection import KFold, StratifiedKFold

#: Folds of the bagged LightGBM, as many as those of the ensembles of networks.
N_FOLDS = 8

#: Maximum number of trees with early stopping, and number of trees without improvement.
MAX_TREES, PATIENCE = 2000, 50


def make_lightgbm(task, seed, **params):
    """Make LightGBM with default parameters, which accepts categories by dtype."""
    import lightgbm

    estimators = {
        "classification": lightgbm.LGBMClassifier,
        "regression": lightgbm.LGBMRegressor,
    }
    return estimators[task](random_state=seed, n_jobs=1, verbosity=-1, **params)


def make_catboost(task, seed):
    """Make CatBoost with default parameters for DataFrames with categories."""
    import catboost

    estimators = {
        "classification": catboost.CatBoostClassifier,
        "regression": catboost.CatBoostRegressor,
    }
    model = estimators[task](
        random_seed=seed, thread_count=1, verbose=False, allow_writing_files=False
    )
    return _WITH_STRINGS[task](model)


class _StringCategories(BaseEstimator):
    """Model that receives categories as strings, and no missing categories."""

    def __init__(self, model):
        self.model = model

    def _convert(self, X):
        categorical = list(X.select_dtypes("category"))
        X = X.copy()
        for name in categorical:
            X[name] = X[name].astype(object).fillna("").astype(str)
        return X, categorical

    def fit(self, X, y):
        X, categorical = self._convert(X)
        self.model_ = self.model.fit(X, y, cat_features=categorical)
        return self

    def predict(self, X):
        return self.model_.predict(self._convert(X)[0]).ravel()


class _StringCategoriesClassifier(ClassifierMixin, _StringCategories):
    @property
    def classes_(self):
        return self.model_.classes_

    def predict_proba(self, X):
        return self.model_.predict_proba(self._convert(X)[0])


class _StringCategoriesRegressor(RegressorMixin, _StringCategories):
    pass


_WITH_STRINGS = {
    "classification": _StringCategoriesClassifier,
    "regression": _StringCategoriesRegressor,
}


def make_bagged_lightgbm(task, seed):
    """Make eight LightGBM models, each early-stopped on another fold, averaged."""
    return _BAGGED[task](seed)


class _BaggedLightGBM(BaseEstimator):
    def __init__(self, seed):
        self.seed = seed

    def fit(self, X, y):
        import lightgbm

        task = "classification" if is_classifier(self) else "regression"
        y = self._encode(y)
        make_folds = StratifiedKFold if is_classifier(self) else KFold
        folds = make_folds(N_FOLDS, shuffle=True, random_state=self.seed)
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        self.members_ = []
        for i, (training, validation) in enumerate(folds.split(X, y)):
            member = make_lightgbm(
                task, self.seed * N_FOLDS + i, n_estimators=MAX_TREES
            )
            member.fit(
                X.iloc[training],
                y[training],
                eval_X=(X.iloc[validation],),
                eval_y=(y[validation],),
                callbacks=[stop],
            )
            self.members_.append(member)
        return self


class _BaggedLightGBMClassifier(ClassifierMixin, _BaggedLightGBM):
    def _encode(self, y):
        # The validation labels of LightGBM must be numbers.
        self.classes_, codes = np.unique(y, return_inverse=True)
        return codes

    def predict_proba(self, X):
        return np.mean([member.predict_proba(X) for member in self.members_], axis=0)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class _BaggedLightGBMRegressor(RegressorMixin, _BaggedLightGBM):
    def _encode(self, y):
        return np.asarray(y)

    def predict(self, X):
        return np.mean([member.predict(X) for member in self.members_], axis=0)


_BAGGED = {
    "classification": _BaggedLightGBMClassifier,
    "regression": _BaggedLightGBMRegressor,
}
